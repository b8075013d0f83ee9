package krb5

import (
	"encoding/binary"
	"testing"

	"github.com/oiweiwei/gokrb5.fork/v9/crypto"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/keyusage"
)

// ndrWriter writes what deferred reads.
type ndrWriter struct{ b []byte }

func (w *ndrWriter) u32(v ...uint32) {
	for len(w.b)%4 != 0 {
		w.b = append(w.b, 0)
	}
	for _, n := range v {
		w.b = binary.LittleEndian.AppendUint32(w.b, n)
	}
}

func (w *ndrWriter) text(s string) {
	n := uint32(len(s))
	w.u32(n, 0, n)
	w.b = append(w.b, utf16LE(s)...)
}

func (w *ndrWriter) sid(s sid) {
	w.u32(uint32(len(s.subs)))
	w.b = append(w.b, sidBytes(s)...)
}

// utf16LE encodes ASCII.
func utf16LE(s string) (b []byte) {
	for i := range len(s) {
		b = append(b, s[i], 0)
	}
	return b
}

func sidBytes(s sid) []byte {
	b := []byte{sidRevision, byte(len(s.subs))}
	b = binary.BigEndian.AppendUint16(b, uint16(s.authority>>32))
	b = binary.BigEndian.AppendUint32(b, uint32(s.authority))
	for _, sub := range s.subs {
		b = binary.LittleEndian.AppendUint32(b, sub)
	}
	return b
}

// The domain of the kit's user, a domain of resource groups, another forest's
// user, and the authority that asserts identities.
var (
	kitDomain    = sid{5, []uint32{21, 1, 2, 3}}
	kitResources = sid{5, []uint32{21, 9, 9, 9}}
	kitForeigner = sid{5, []uint32{21, 7, 7, 7, 1234}}
	kitAsserted  = sid{18, []uint32{1}}
)

const (
	kitUser    = 1103
	kitUserSID = "S-1-5-21-1-2-3-1103"
)

func newLogonInfo() logonInfo {
	return logonInfo{
		account: "alice", domain: "LAB", userID: kitUser, domainID: kitDomain, resourceDomain: kitResources,
		groups:    []membership{{rid: 513, attributes: 7}, {rid: 512, attributes: 0x10}},
		extra:     []membership{{sid: kitAsserted, attributes: 7}},
		resources: []membership{{rid: 42, attributes: 0x20000007}},
	}
}

// appendLogonInfo writes KERB_VALIDATION_INFO as KDCs do.
func appendLogonInfo(i logonInfo) []byte {
	w := ndrWriter{b: make([]byte, logonDeferred)}
	put := binary.LittleEndian.PutUint32
	copy(w.b, serialization)
	put(w.b[logonReferent:], 0x20000)
	put(w.b[logonUserID:], i.userID)
	text := func(header int, s string) {
		binary.LittleEndian.PutUint16(w.b[header:], uint16(2*len(s)))
		binary.LittleEndian.PutUint16(w.b[header+2:], uint16(2*len(s)))
		put(w.b[header+logonStringReferents:], 0x20004)
		w.text(s)
	}
	for n, s := range []string{i.account, "Alice Example", "", "", "", "C:"} {
		text(logonStrings+n*logonStringSize, s)
	}
	rids := func(count, referent int, groups []membership) {
		if groups == nil {
			return
		}
		put(w.b[count:], uint32(len(groups)))
		put(w.b[referent:], 0x20008)
		w.u32(uint32(len(groups)))
		for _, g := range groups {
			w.u32(g.rid, g.attributes)
		}
	}
	rids(logonGroupCount, logonGroups, i.groups)
	text(logonServer, "DC1")
	text(logonDomainName, i.domain)
	if i.domainID.subs != nil {
		put(w.b[logonDomainID:], 0x2000c)
		w.sid(i.domainID)
	}
	if i.extra != nil {
		put(w.b[logonSIDCount:], uint32(len(i.extra)))
		put(w.b[logonSIDs:], 0x20010)
		w.u32(uint32(len(i.extra)))
		for _, e := range i.extra {
			w.u32(0x20014, e.attributes)
		}
		for _, e := range i.extra {
			w.sid(e.sid)
		}
	}
	if i.resourceDomain.subs != nil {
		put(w.b[logonResourceDomain:], 0x20018)
		w.sid(i.resourceDomain)
	}
	rids(logonResourceCount, logonResourceGroups, i.resources)
	for len(w.b)%8 != 0 {
		w.b = append(w.b, 0)
	}
	put(w.b[8:], uint32(len(w.b)-logonReferent))
	return w.b
}

// appendUPNInfo writes an extended UPN_DNS_INFO.
func appendUPNInfo(upn, dns, account string, s sid) []byte {
	b := make([]byte, 24)
	field := func(at int, value []byte) {
		binary.LittleEndian.PutUint16(b[at:], uint16(len(value)))
		binary.LittleEndian.PutUint16(b[at+2:], uint16(len(b)))
		b = append(b, value...)
	}
	field(upnName, utf16LE(upn))
	field(upnDNSDomain, utf16LE(dns))
	binary.LittleEndian.PutUint32(b[upnFlags:], upnExtended)
	field(upnAccount, utf16LE(account))
	field(upnSID, sidBytes(s))
	return b
}

func appendClientInfo(name string) []byte {
	b := make([]byte, clientInfoName)
	binary.LittleEndian.PutUint16(b[8:], uint16(2*len(name)))
	return append(b, utf16LE(name)...)
}

// pacSpec is a PAC to be written: buffers in this order, unsigned ones of
// types 6 and 7 filled by sign.
type pacSpec struct {
	kinds []pacType
	data  map[pacType][]byte
}

// newPAC has what a KDC of Windows Server 2022 sends.
func newPAC() *pacSpec {
	user, _ := kitDomain.with(kitUser)
	p := &pacSpec{data: make(map[pacType][]byte)}
	p.set(pacLogonInfo, appendLogonInfo(newLogonInfo()))
	p.set(pacClientInfo, appendClientInfo("alice"))
	p.set(pacUPNInfo, appendUPNInfo("alice@lab.test", "LAB.TEST", "alice", user))
	p.set(17, make([]byte, 8)) // attributes
	p.set(pacRequestor, sidBytes(user))
	p.set(pacServerSignature, nil)
	p.set(pacKDCSignature, append([]byte{0x76, 0xff, 0xff, 0xff}, make([]byte, 16)...))
	p.set(16, append([]byte{0x10, 0, 0, 0}, make([]byte, 12)...))
	p.set(19, append([]byte{0x10, 0, 0, 0}, make([]byte, 12)...))
	return p
}

func (p *pacSpec) set(kind pacType, data []byte) {
	if _, ok := p.data[kind]; !ok {
		p.kinds = append(p.kinds, kind)
	}
	p.data[kind] = data
}

// layout writes the PAC; server signature is type and zeros for key.
func (p *pacSpec) layout(key Key) []byte {
	e := encryptionTypeOf(key.Etype)
	return p.layoutOf(e.pacChecksum, e.macSize)
}

// layoutOf writes the PAC with zeros for a server signature of that type and size.
func (p *pacSpec) layoutOf(kind checksumType, size int) []byte {
	p.set(pacServerSignature, append(binary.LittleEndian.AppendUint32(nil, uint32(kind)), make([]byte, size)...))
	b := make([]byte, pacHeaderSize+pacInfoSize*len(p.kinds))
	binary.LittleEndian.PutUint32(b, uint32(len(p.kinds)))
	for i, kind := range p.kinds {
		for len(b)%8 != 0 {
			b = append(b, 0)
		}
		at := pacHeaderSize + pacInfoSize*i
		binary.LittleEndian.PutUint32(b[at:], uint32(kind))
		binary.LittleEndian.PutUint32(b[at+4:], uint32(len(p.data[kind])))
		binary.LittleEndian.PutUint64(b[at+8:], uint64(len(b)))
		b = append(b, p.data[kind]...)
	}
	return b
}

// sign writes the PAC with both signatures, the KDC's made up.
func (p *pacSpec) sign(t testing.TB, key Key) []byte {
	b := p.layout(key)
	resign(t, b, key)
	if i := p.find(b, pacKDCSignature); i > 0 {
		for n := range 16 {
			b[i+4+n] = byte(0xa0 + n)
		}
	}
	return b
}

// find returns the offset of a buffer in the written PAC.
func (p *pacSpec) find(b []byte, kind pacType) int {
	for i, k := range p.kinds {
		if k == kind {
			return int(binary.LittleEndian.Uint64(b[pacHeaderSize+pacInfoSize*i+8:]))
		}
	}
	return 0
}

// resign makes the server signature right whatever the rest is, if the PAC can
// be walked. Signatures in it are zeroed first.
func resign(t testing.TB, b []byte, key Key) {
	buffers, err := pacBuffers(b)
	if err != nil {
		return
	}
	var at []byte
	for _, kind := range []pacType{pacServerSignature, pacKDCSignature} {
		if buffer, ok := find(buffers, kind); ok {
			_, signature, err := pacSignature(buffer)
			if err != nil {
				return
			}
			if clear(signature); kind == pacServerSignature {
				at = signature
			}
		}
	}
	e, err := crypto.GetEtype(key.Etype)
	must(t, 0, err)
	sum, err := e.GetChecksumHash(key.Value, b, keyusage.KERB_NON_KERB_CKSUM_SALT)
	must(t, 0, err)
	copy(at, sum)
}
