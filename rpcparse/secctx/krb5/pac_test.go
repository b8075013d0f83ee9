package krb5

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/oiweiwei/gokrb5.fork/v9/pac"
	"github.com/oiweiwei/gokrb5.fork/v9/types"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

var pacKey = secret(18, 0x01)

// parsed is the PAC with this logon information and nothing that might
// contradict it.
func parsed(t *testing.T, i logonInfo) (*PAC, error) {
	t.Helper()
	p := newPAC()
	p.set(pacLogonInfo, appendLogonInfo(i))
	p.kinds = slices.DeleteFunc(p.kinds, func(k pacType) bool { return k == pacUPNInfo })
	return ParsePAC(p.sign(t, pacKey), pacKey)
}

func TestPACTellsUserGroupsAndNames(t *testing.T) {
	for _, etype := range allEtypes {
		key := secret(etype, 0x01)
		p, err := ParsePAC(newPAC().sign(t, key), key)
		if err != nil {
			t.Fatal(err)
		}
		want := PAC{
			SID:     kitUserSID,
			Groups:  []string{"S-1-18-1", "S-1-5-21-1-2-3-513", "S-1-5-21-9-9-9-42"}, // 512 is there to deny only
			Account: "alice", Domain: "LAB", UPN: "alice@lab.test", DNSDomain: "LAB.TEST", ClientName: "alice", Requestor: kitUserSID,
		}
		if !slices.Equal(p.Groups, want.Groups) {
			t.Errorf("groups %q", p.Groups)
		}
		if p.Groups = nil; p.SID != want.SID || p.Account != want.Account || p.Domain != want.Domain || p.UPN != want.UPN ||
			p.DNSDomain != want.DNSDomain || p.ClientName != want.ClientName || p.Requestor != want.Requestor {
			t.Errorf("%+v", *p)
		}
	}
}

// TestLogonInfoIsWhatAnIndependentDecoderReads keeps the kit honest: it writes
// what the walk reads, so both could be wrong together.
func TestLogonInfoIsWhatAnIndependentDecoderReads(t *testing.T) {
	var k pac.KerbValidationInfo
	if err := k.Unmarshal(appendLogonInfo(newLogonInfo())); err != nil {
		t.Fatal(err)
	}
	if k.EffectiveName.Value != "alice" || k.LogonDomainName.Value != "LAB" || k.UserID != kitUser || k.LogonDomainID.String() != kitDomain.String() ||
		len(k.GroupIDs) != 2 || len(k.ExtraSIDs) != 1 || k.ExtraSIDs[0].SID.String() != kitAsserted.String() ||
		k.ResourceGroupDomainSID.String() != kitResources.String() || len(k.ResourceGroupIDs) != 1 || k.ResourceGroupIDs[0].RelativeID != 42 {
		t.Errorf("%+v", k)
	}
}

func TestUserOfAnotherForestIsTheFirstExtraSID(t *testing.T) {
	i := newLogonInfo()
	i.userID = 0
	i.extra = append([]membership{{sid: kitForeigner, attributes: 7}}, i.extra...)
	p, err := parsed(t, i)
	if err != nil {
		t.Fatal(err)
	}
	if p.SID != kitForeigner.String() || slices.Contains(p.Groups, p.SID) || !slices.Contains(p.Groups, kitAsserted.String()) {
		t.Errorf("%s in %q", p.SID, p.Groups)
	}
	i.extra = nil
	if p, err := parsed(t, i); err == nil {
		t.Errorf("neither RID nor extra SID, but user %s", p.SID)
	}
}

func TestUserComesFromNamesWhenThereIsNoLogonInfo(t *testing.T) {
	p := newPAC()
	p.kinds = slices.DeleteFunc(p.kinds, func(k pacType) bool { return k == pacLogonInfo })
	got, err := ParsePAC(p.sign(t, pacKey), pacKey)
	if err != nil || got.SID != kitUserSID || got.Account != "alice" || got.Groups != nil {
		t.Error(got, err)
	}
	p.kinds = slices.DeleteFunc(p.kinds, func(k pacType) bool { return k == pacUPNInfo })
	if got, err := ParsePAC(p.sign(t, pacKey), pacKey); err == nil {
		t.Errorf("the requestor %s is taken for the user", got.SID)
	}
}

// Servers read the logon information.
func TestLogonInformationIsBelievedBeforeNames(t *testing.T) {
	p := newPAC()
	p.set(pacUPNInfo, appendUPNInfo("bob@lab.test", "LAB.TEST", "bob", kitForeigner))
	if got, err := ParsePAC(p.sign(t, pacKey), pacKey); err != nil || got.SID != kitUserSID || got.Account != "alice" {
		t.Error(got, err)
	}
}

func TestOnlyTheKDCsSignatureMakesAnIdentity(t *testing.T) {
	rc4 := secret(23, 0x01)
	for _, tc := range []struct {
		name string
		make func() []byte
	}{
		{"another key", func() []byte { return newPAC().sign(t, secret(18, 0x77)) }},
		{"another key and type", func() []byte { return newPAC().sign(t, rc4) }},
		{"unsigned", func() []byte { return newPAC().layout(pacKey) }},
		{"no signature", func() []byte {
			p := newPAC()
			b := p.sign(t, pacKey)
			at := pacHeaderSize + pacInfoSize*slices.Index(p.kinds, pacServerSignature)
			binary.LittleEndian.PutUint32(b[at:], 99)
			return b
		}},
		{"unkeyed type", func() []byte {
			p := newPAC()
			b := p.sign(t, pacKey)
			binary.LittleEndian.PutUint32(b[p.find(b, pacServerSignature):], 7) // RSA-MD5
			return b
		}},
		{"cut signature", func() []byte {
			p := newPAC()
			b := p.sign(t, pacKey)
			at := pacHeaderSize + pacInfoSize*slices.Index(p.kinds, pacServerSignature)
			binary.LittleEndian.PutUint32(b[at+4:], 15)
			return b
		}},
		{"altered ticket signature", func() []byte {
			p := newPAC()
			b := p.sign(t, pacKey)
			b[p.find(b, 16)+5]++
			return b
		}},
	} {
		if got, err := ParsePAC(tc.make(), pacKey); err == nil {
			t.Errorf("%s: %s", tc.name, got)
		}
	}
}

// Old KDCs sign with HMAC-MD5 and the key of the service, whatever its type.
func TestPACSignedWithHMACMD5AndAnAESKeyIsBelieved(t *testing.T) {
	for _, etype := range allEtypes {
		key := secret(etype, 0x01)
		p := newPAC()
		b := p.layoutOf(checksumHMACMD5, 16)
		at := p.find(b, pacServerSignature)
		signed := slices.Clone(b)
		clear(signed[p.find(b, pacKDCSignature)+4:][:16])
		sum, err := checksum(checksumHMACMD5, key, signed)
		copy(b[at+4:], must(t, sum, err))
		if got, err := ParsePAC(b, key); err != nil || got.SID != kitUserSID {
			t.Errorf("etype %d: %v, %v", etype, got, err)
		}
		if got, err := ParsePAC(b, secret(etype, 0x02)); err == nil {
			t.Errorf("etype %d, another key: %v", etype, got)
		}
	}
}

func TestEveryByteButTheSignaturesIsSigned(t *testing.T) {
	p := newPAC()
	good := p.sign(t, pacKey)
	kdc := p.find(good, pacKDCSignature)
	for i := range good {
		b := slices.Clone(good)
		b[i] ^= 0x40
		_, err := ParsePAC(b, pacKey)
		if free := i >= kdc+4 && i < kdc+20; free != (err == nil) {
			t.Errorf("byte %d of %d altered: %v", i, len(b), err)
		}
	}
}

func TestForgedPACsBesideTheRightOneAreNotBelieved(t *testing.T) {
	k := newKDC(t, 18)
	evil := newLogonInfo()
	evil.userID = 500
	p := newPAC()
	p.set(pacLogonInfo, appendLogonInfo(evil))
	forged := pacElement(p.sign(t, secret(18, 0x66)))
	genuine := pacElement(newPAC().sign(t, k.service))
	other := types.AuthorizationDataEntry{ADType: 141, ADData: []byte{1, 2, 3}}
	for name, data := range map[string]types.AuthorizationData{
		"behind":                 append(ifRelevant(t, genuine), ifRelevant(t, forged)...),
		"in front":               append(ifRelevant(t, forged), ifRelevant(t, genuine)...),
		"in one container":       ifRelevant(t, forged, genuine),
		"in two, with others":    append(ifRelevant(t, other), ifRelevant(t, other, genuine)...),
		"beside garbage":         append(types.AuthorizationData{{ADType: 1, ADData: []byte{0x30, 0x80, 0}}, {ADType: 1}}, ifRelevant(t, genuine)...),
		"outside a container":    append(types.AuthorizationData{forged}, ifRelevant(t, genuine)...),
		"two valid ones":         append(ifRelevant(t, genuine), ifRelevant(t, genuine)...),
		"behind four":            ifRelevant(t, forged, forged, forged, forged, genuine),
		"container in container": ifRelevant(t, ifRelevant(t, genuine)[0]),
	} {
		k.data = data
		if in := opened(t, k); in.PAC == nil || in.PAC.SID != kitUserSID {
			t.Errorf("%s: %v, %v", name, in.PAC, in.PACErr)
		}
	}
	for name, data := range map[string]types.AuthorizationData{
		"only a forged one": ifRelevant(t, forged),
	} {
		k.data = data
		if in := opened(t, k); in.PAC != nil || in.PACErr == nil {
			t.Errorf("%s: %v", name, in.PAC)
		}
	}
}

// TestHostilePACDirectories is row 33 of the adversarial inputs: whoever can
// sign is trusted with the content, but the walk comes before the signature.
func TestHostilePACDirectories(t *testing.T) {
	put32, put64 := binary.LittleEndian.PutUint32, binary.LittleEndian.PutUint64
	entryOf := func(i int) int { return pacHeaderSize + pacInfoSize*i }
	for _, tc := range []struct {
		name  string
		edit  func(b []byte) []byte
		class wire.Class
	}{
		{"empty", func([]byte) []byte { return nil }, wire.ClassShort},
		{"directory cut off", func(b []byte) []byte { return b[:40] }, wire.ClassInvalid},
		{"cBuffers 2^32-1", func(b []byte) []byte { put32(b, math.MaxUint32); return b }, wire.ClassInvalid},
		{"65 buffers", func(b []byte) []byte { put32(b, 65); return b }, wire.ClassInvalid},
		{"no buffers", func(b []byte) []byte { put32(b, 0); return b }, wire.ClassAuth},
		{"version 1", func(b []byte) []byte { put32(b[4:], 1); return b }, wire.ClassInvalid},
		{"offset 2^64-8", func(b []byte) []byte { put64(b[entryOf(0)+8:], math.MaxUint64-7); return b }, wire.ClassInvalid},
		{"offset + size wraps", func(b []byte) []byte {
			put64(b[entryOf(0)+8:], math.MaxUint64)
			put32(b[entryOf(0)+4:], math.MaxUint32)
			return b
		}, wire.ClassInvalid},
		{"offset + size wraps 32 bits", func(b []byte) []byte { put32(b[entryOf(0)+4:], math.MaxUint32); return b }, wire.ClassInvalid},
		{"buffer in the directory", func(b []byte) []byte { put64(b[entryOf(0)+8:], 8); return b }, wire.ClassInvalid},
		{"buffer behind the end", func(b []byte) []byte { put64(b[entryOf(0)+8:], uint64(len(b))); return b }, wire.ClassInvalid},
		{"overlapping buffers", func(b []byte) []byte { copy(b[entryOf(0)+8:][:8], b[entryOf(1)+8:]); return b }, wire.ClassInvalid},
		{"two server signatures", func(b []byte) []byte { put32(b[entryOf(6):], 6); return b }, wire.ClassInvalid},
		{"64 KiB", func(b []byte) []byte { return append(b, make([]byte, maxMessage)...) }, wire.ClassLimit},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := tc.edit(newPAC().sign(t, pacKey))
			resign(t, b, pacKey)
			if p, err := ParsePAC(b, pacKey); !errors.Is(err, &wire.Error{Class: tc.class}) {
				t.Errorf("%v, %v, want class %s", p, err, tc.class)
			}
		})
	}
}

func TestHostileLogonInfo(t *testing.T) {
	put32 := binary.LittleEndian.PutUint32
	for _, tc := range []struct {
		name string
		edit func(b []byte) []byte
		want string
	}{
		{"cut in the fixed part", func(b []byte) []byte { return b[:logonDeferred-1] }, "need 236"},
		{"cut in the strings", func(b []byte) []byte { return b[:logonDeferred+14] }, "short"},
		{"cut in the last array", func(b []byte) []byte { return b[:len(b)-8] }, "elements of 8 bytes"},
		{"big-endian", func(b []byte) []byte { b[1] = 0; return b }, "type serialization"},
		{"null pointer", func(b []byte) []byte { clear(b[16:20]); return b }, "null pointer"},
		{"2^32-1 groups", func(b []byte) []byte { put32(b[logonGroupCount:], math.MaxUint32); return b }, "4294967295 were announced"},
		{"2^32-1 SIDs", func(b []byte) []byte { put32(b[logonSIDCount:], math.MaxUint32); return b }, "announced"},
		{"string of 2^32-1", func(b []byte) []byte {
			put32(b[logonDeferred:], math.MaxUint32)
			put32(b[logonDeferred+8:], math.MaxUint32)
			return b
		}, "a string of"},
		{"string with an offset", func(b []byte) []byte { put32(b[logonDeferred+4:], 1); return b }, "a string of"},
		{"string over its capacity", func(b []byte) []byte { put32(b[logonDeferred+8:], 6); return b }, "a string of"},
		{"no domain", func(b []byte) []byte { clear(b[logonDomainID : logonDomainID+4]); return b }, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newPAC()
			p.set(pacLogonInfo, tc.edit(appendLogonInfo(newLogonInfo())))
			got, err := ParsePAC(p.sign(t, pacKey), pacKey)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, %v, want %q", got, err, tc.want)
			}
		})
	}
	for n := range len(appendLogonInfo(newLogonInfo())) - 7 { // up to seven bytes are padding
		p := newPAC()
		p.set(pacLogonInfo, appendLogonInfo(newLogonInfo())[:n])
		if _, err := ParsePAC(p.sign(t, pacKey), pacKey); err == nil {
			t.Errorf("the first %d bytes are accepted", n)
		}
	}
}

func TestResourceGroupsNeedTheirDomain(t *testing.T) {
	i := newLogonInfo()
	i.resourceDomain = sid{}
	if p, err := parsed(t, i); err == nil {
		t.Error(p.Groups)
	}
}

func TestHostileNames(t *testing.T) {
	for name, set := range map[string]func(*pacSpec){
		"UPN beyond the end":        func(p *pacSpec) { p.data[pacUPNInfo][2] = 0xff },
		"UPN cut off":               func(p *pacSpec) { p.set(pacUPNInfo, p.data[pacUPNInfo][:11]) },
		"extension cut off":         func(p *pacSpec) { p.set(pacUPNInfo, append(make([]byte, 8), 2, 0, 0, 0)) },
		"SID with a byte behind":    func(p *pacSpec) { p.data[pacUPNInfo][upnSID]++; p.set(pacUPNInfo, append(p.data[pacUPNInfo], 0)) },
		"UPN of 2 KiB":              func(p *pacSpec) { p.set(pacUPNInfo, appendUPNInfo(strings.Repeat("u", 1024), "", "", kitForeigner)) },
		"client name beyond end":    func(p *pacSpec) { p.data[pacClientInfo][8]++ },
		"client info cut off":       func(p *pacSpec) { p.set(pacClientInfo, make([]byte, 9)) },
		"requestor cut off":         func(p *pacSpec) { p.set(pacRequestor, p.data[pacRequestor][:10]) },
		"requestor of revision 2":   func(p *pacSpec) { p.data[pacRequestor][0] = 2 },
		"requestor with 16 numbers": func(p *pacSpec) { p.data[pacRequestor][1] = 16 },
	} {
		p := newPAC()
		set(p)
		if got, err := ParsePAC(p.sign(t, pacKey), pacKey); err != nil || got.SID != kitUserSID {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		p.kinds = slices.DeleteFunc(p.kinds, func(k pacType) bool { return k == pacLogonInfo })
		if got, err := ParsePAC(p.sign(t, pacKey), pacKey); err == nil && got.SID != kitUserSID && got.SID != kitForeigner.String() {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Names of any length and number, such as a home directory of 600 characters,
// change nothing about who it is.
func TestLongNamesInAPACAreCut(t *testing.T) {
	long := strings.Repeat("h", 600)
	i := newLogonInfo()
	i.account = long
	p := newPAC()
	p.set(pacLogonInfo, appendLogonInfo(i))
	p.set(pacUPNInfo, appendUPNInfo(strings.Repeat("u", 3000), "LAB.TEST", "alice", kitForeigner))
	got, err := ParsePAC(p.sign(t, pacKey), pacKey)
	if err != nil || got.SID != kitUserSID || got.Account != long || len(got.UPN) != maxPACName/2 {
		t.Error(got, err)
	}
}

func TestUserOfATicketIsAnAccountOfItsRealm(t *testing.T) {
	for name, tc := range map[string]struct {
		pac    PAC
		client string
		ok     bool
		groups int
	}{
		"own realm":                {PAC{SID: kitUserSID, Groups: []string{"S-1-5-32-544", "S-1-5-21-1-2-3-512"}, resourceDomain: "S-1-5-21-1-2-3"}, "lab.test", true, 2},
		"another domain":           {PAC{SID: "S-1-5-21-9-9-9-1103", Groups: []string{"S-1-5-32-544", "S-1-5-21-9-9-9-512", "S-1-18-1"}, resourceDomain: "S-1-5-21-1-2-3"}, "CHILD.LAB.TEST", true, 2},
		"as one of the server's":   {PAC{SID: kitUserSID, resourceDomain: "S-1-5-21-1-2-3"}, "EVIL.TEST", false, 0},
		"a built-in group":         {PAC{SID: "S-1-5-32-544"}, "LAB.TEST", false, 0},
		"the system":               {PAC{SID: "S-1-5-18"}, "LAB.TEST", false, 0},
		"anonymous":                {PAC{SID: "S-1-5-7"}, "LAB.TEST", false, 0},
		"a domain":                 {PAC{SID: "S-1-5-21-1-2-3"}, "LAB.TEST", false, 0},
		"an account with an annex": {PAC{SID: kitUserSID + "-1"}, "LAB.TEST", false, 0},
	} {
		if err := tc.pac.filter(tc.client, "LAB.TEST"); (err == nil) != tc.ok || err == nil && len(tc.pac.Groups) != tc.groups || err == nil && tc.pac.Foreign != (tc.client != "lab.test") {
			t.Errorf("%s: %v, %q", name, err, tc.pac.Groups)
		}
	}
}

func TestSIDsPrintAsWindowsPrintsThem(t *testing.T) {
	for want, s := range map[string]sid{
		"S-1-5-21-4294967295-1": {5, []uint32{21, math.MaxUint32, 1}},
		"S-1-0":                 {0, nil},
		"S-1-0x0100000000ab-2":  {0x0100000000ab, []uint32{2}},
	} {
		got, size, err := parseSID(append(sidBytes(s), 0xff))
		if err != nil || got.String() != want || size != 8+4*len(s.subs) {
			t.Errorf("%s, %d bytes, %v, want %s", got, size, err, want)
		}
	}
}
