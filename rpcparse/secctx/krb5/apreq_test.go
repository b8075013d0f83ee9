package krb5

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/oiweiwei/gokrb5.fork/v9/messages"
	"github.com/oiweiwei/gokrb5.fork/v9/types"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// opened opens a request that must open.
func opened(t *testing.T, k *kdc) *Initiated {
	t.Helper()
	in, o := OpenAPReq(k.request(t), k.keys(t).Service(""))
	if o.Result != KeyFound {
		t.Fatal(o)
	}
	return in
}

var allEtypes = []int32{17, 18, 19, 20, 23}

func TestHandshakeOpensWithEveryEncryptionType(t *testing.T) {
	for _, etype := range allEtypes {
		t.Run(fmt.Sprint(etype), func(t *testing.T) {
			k := newKDC(t, etype)
			in := opened(t, k)
			if in.Client != "alice@LAB.TEST" || in.Service != "exchangeAB/dc1.lab.test@LAB.TEST" || in.Flags != kitFlags || in.Sequence != kitInitiator {
				t.Errorf("%s, flags %#x, number %d", in, in.Flags, in.Sequence)
			}
			if got := in.Time.Sub(kitTime).Microseconds(); got != kitCusec {
				t.Errorf("%d microseconds", got)
			}
			if in.PACErr != nil || in.PAC.SID != kitUserSID {
				t.Errorf("PAC %v, %v", in.PAC, in.PACErr)
			}
			e, err := in.OpenAPRep(k.answer(t))
			if err != nil {
				t.Fatal(err)
			}
			keys := e.Keys()
			if !bytes.Equal(keys.Key.Value, k.server.Value) || keys.Key.Etype != etype || !keys.AcceptorSubkey ||
				keys.InitiatorSequence != kitInitiator || keys.AcceptorSequence != kitAcceptor {
				t.Error(keys)
			}
			if err := e.CheckThirdLeg(k.third(t)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestKeyOfTheContextIsTheAcceptorsElseTheInitiatorsElseTheTickets(t *testing.T) {
	for _, tc := range []struct {
		name           string
		client, server bool
		want           func(*kdc) Key
	}{
		{"both subkeys", true, true, func(k *kdc) Key { return *k.server }},
		{"acceptor only", false, true, func(k *kdc) Key { return *k.server }},
		{"initiator only", true, false, func(k *kdc) Key { return *k.client }},
		{"neither", false, false, func(k *kdc) Key { return k.session }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k := newKDC(t, 18)
			aes128, rc4 := secret(17, 0x63), secret(23, 0x95)
			k.client, k.server = &aes128, &rc4 // encryption types may differ from the ticket's
			want := tc.want(k)
			if !tc.client {
				k.client = nil
			}
			if !tc.server {
				k.server = nil
			}
			e, err := opened(t, k).OpenAPRep(k.answer(t))
			if err != nil {
				t.Fatal(err)
			}
			keys := e.Keys()
			if keys.Key.Etype != want.Etype || !bytes.Equal(keys.Key.Value, want.Value) || keys.AcceptorSubkey != tc.server {
				t.Errorf("%s, want %s", keys, want)
			}
		})
	}
}

func TestMessagesOpenBareAndGSSFramed(t *testing.T) {
	k := newKDC(t, 18)
	for _, mechanism := range mechanisms {
		in, o := OpenAPReq(framed(mechanism, []byte{1, 0}, k.request(t)), k.keys(t).Service(""))
		if in == nil {
			t.Fatal(o)
		}
		if _, err := in.OpenAPRep(framed(mechanism, []byte{2, 0}, k.answer(t))); err != nil {
			t.Error(err)
		}
	}
	for name, token := range map[string][]byte{
		"another message":   framed(mechanisms[0], []byte{1, 0}, k.answer(t)),
		"no message":        framed(mechanisms[0], []byte{1, 0}, nil),
		"no mechanism":      framed(nil, []byte{1, 0}, k.request(t)),
		"a wrong length":    framed(mechanisms[0], []byte{1, 0}, k.request(t))[:50],
		"a frame only":      {frameTag},
		"an endless length": {frameTag, 0x80, 0},
	} {
		if _, o := OpenAPReq(token, k.keys(t).Service("")); o.Result != Malformed {
			t.Errorf("%s: %s", name, o)
		}
	}
}

func TestKRBErrorIsRecognised(t *testing.T) {
	bare := []byte{tagKRBError, 0}
	if !IsKRBError(bare) || !IsKRBError(framed(mechanisms[0], []byte{3, 0}, bare)) || IsKRBError([]byte{tagAPRep, 0}) || IsKRBError(nil) {
		t.Error("KRB-ERROR is told by its tag, bare or framed")
	}
}

func TestOutcomeTellsTheAdministratorWhy(t *testing.T) {
	const spn = "exchangeAB/dc1.lab.test@LAB.TEST"
	right, other := secret(18, 0x01), secret(18, 0xc1)
	for _, tc := range []struct {
		name string
		keys *Keytab
		want string
	}{
		{"no keytab", nil, `no_key: the keytab has no key for "` + spn + `" of encryption type 18`},
		{"another host", keysOf(t, entry("DC2$@LAB.TEST", 5, other)), `no_key: the keytab has no key for "` + spn + `" of encryption type 18`},
		{"another encryption type", keysOf(t, entry(spn, 5, secret(17, 1))), `no_key: the keytab has no key for "` + spn + `" of encryption type 18`},
		{"password rotated", keysOf(t, entry(spn, 4, other), entry("DC1$@LAB.TEST", 3, secret(18, 0xd1))), `wrong_kvno: the ticket for "` + spn + `" has kvno 5, the keytab [3 4]`},
		{"wrong password", keysOf(t, entry(spn, 5, other)), `undecryptable: ticket for "` + spn + `", kvno 5, encryption type 18: auth kerberos_integrity at offset 0: the key does not open the ticket`},
		{"the principal", keysOf(t, entry(spn, 5, right)), `key_found: ticket for "` + spn + `" opened with ` + spn + ` kvno 5 etype 18`},
		{"the account of the host", keysOf(t, entry("DC1$@LAB.TEST", 5, right)), `key_found: ticket for "` + spn + `" opened with DC1$@LAB.TEST kvno 5 etype 18`},
		{"wrong version, right key", keysOf(t, entry("host/dc1@lab.test", 1, right)), `key_found: ticket for "` + spn + `" opened with host/dc1@lab.test kvno 1 etype 18`},
		{"an alias", keysOf(t, entry("nspi/alias.lab.test@LAB.TEST", 5, right)), `key_found: ticket for "` + spn + `" opened with nspi/alias.lab.test@LAB.TEST kvno 5 etype 18`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in, o := OpenAPReq(newKDC(t, 18).request(t), tc.keys.Service(""))
			if o.String() != tc.want {
				t.Errorf("%s\nwant %s", o, tc.want)
			}
			if (in != nil) != (o.Result == KeyFound) {
				t.Errorf("%v with %s", in, o.Result)
			}
		})
	}
}

func TestKeysOfReadOnlyControllersMatchWithoutTheirNumber(t *testing.T) {
	k := newKDC(t, 18)
	k.kvno = 0x4d2<<16 | 5
	_, o := OpenAPReq(k.request(t), keysOf(t, entry("DC1$@LAB.TEST", 5, secret(18, 0xc1))).Service(""))
	if o.Result != Undecryptable {
		t.Error(o)
	}
}

func TestUserToUserTicketsCannotBeOpened(t *testing.T) {
	k := newKDC(t, 18)
	k.options = 0x40
	if _, o := OpenAPReq(k.request(t), k.keys(t).Service("")); o.Result != Undecryptable {
		t.Error(o)
	}
}

// A ticket names its user whatever else the client has put into its message:
// servers accept all of this at level connect.
func TestIdentityIsReadWhereProtectionIsNotPossible(t *testing.T) {
	sum := func(edit func([]byte) []byte) func(*kdc) {
		return func(k *kdc) {
			k.authenticator = func(a *types.Authenticator) { a.Cksum.Checksum = edit(a.Cksum.Checksum) }
		}
	}
	for _, tc := range []struct {
		name string
		edit func(*kdc)
		want string
	}{
		{"no DCE style", sum(func(b []byte) []byte { binary.LittleEndian.PutUint32(b[20:], 0x3e); return b }), "without DCE style"},
		{"short checksum", sum(func(b []byte) []byte { return b[:23] }), "23 bytes"},
		{"no bindings", sum(func(b []byte) []byte { clear(b[:4]); return b }), "channel bindings"},
		{"another checksum", func(k *kdc) {
			k.authenticator = func(a *types.Authenticator) { a.Cksum.CksumType = 16 }
		}, "checksum type 0x10"},
		{"version of the authenticator", func(k *kdc) {
			k.authenticator = func(a *types.Authenticator) { a.AVNO = 4 }
		}, "version 4"},
		{"subkey too short", func(k *kdc) {
			k.authenticator = func(a *types.Authenticator) { a.SubKey.KeyValue = a.SubKey.KeyValue[:31] }
		}, "31 bytes"},
		{"subkey of DES", func(k *kdc) {
			k.authenticator = func(a *types.Authenticator) { a.SubKey.KeyType = 3 }
		}, "not supported"},
		{"subkey of a type that is none", func(k *kdc) {
			k.authenticator = func(a *types.Authenticator) { a.SubKey.KeyType = 99 }
		}, "not supported"},
		{"session key of DES", func(k *kdc) {
			k.ticket = func(p *messages.EncTicketPart) { p.Key.KeyType = 3 }
		}, "not supported"},
		{"no checksum", func(k *kdc) {
			k.authenticator = func(a *types.Authenticator) { a.Cksum = types.Checksum{} }
		}, "checksum type 0x0"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k := newKDC(t, 18)
			tc.edit(k)
			in, o := OpenAPReq(k.request(t), k.keys(t).Service(""))
			if in == nil || in.PAC == nil || in.PAC.SID != kitUserSID {
				t.Fatal(o)
			}
			if in.Protection == nil || !strings.Contains(in.Protection.Error(), tc.want) {
				t.Errorf("protection: %v, want %q", in.Protection, tc.want)
			}
			if e, err := in.OpenAPRep(k.answer(t)); err == nil {
				if _, _, err := e.Streams(); err == nil {
					t.Error("streams of a context that cannot be protected")
				}
			}
		})
	}
}

func TestAuthenticatorThatIsNotMadeWithTheSessionKeyOpensNothing(t *testing.T) {
	for name, edit := range map[string]func(*messages.EncTicketPart){
		"no session key":      func(p *messages.EncTicketPart) { p.Key.KeyValue = nil },
		"another session key": func(p *messages.EncTicketPart) { p.Key = libraryKey(secret(23, 3)) },
	} {
		k := newKDC(t, 18)
		k.ticket = edit
		if in, o := OpenAPReq(k.request(t), k.keys(t).Service("")); in != nil || o.Result != Malformed {
			t.Errorf("%s: %s", name, o)
		}
	}
}

// What the server will do is known from the GSS flags, or else from ap-options.
func TestLegsOfTheHandshakeAreKnown(t *testing.T) {
	flags := func(v uint32) func(*types.Authenticator) {
		return func(a *types.Authenticator) { binary.LittleEndian.PutUint32(a.Cksum.Checksum[20:], v) }
	}
	none := func(a *types.Authenticator) { a.Cksum = types.Checksum{} }
	for name, tc := range map[string]struct {
		authenticator func(*types.Authenticator)
		options       byte
		dce, mutual   bool
	}{
		"DCE style":                         {nil, 0, true, true},
		"mutual":                            {flags(0x3e), 0, false, true},
		"one leg":                           {flags(0x3c), 0, false, false},
		"one leg, whatever ap-options say":  {flags(0x3c), 0x20, false, false},
		"no GSS checksum":                   {none, 0, false, false},
		"no GSS checksum, mutual by option": {none, 0x20, false, true},
	} {
		k := newKDC(t, 18)
		k.authenticator, k.options = tc.authenticator, tc.options
		if in := opened(t, k); in.DCEStyle() != tc.dce || in.Mutual() != tc.mutual {
			t.Errorf("%s: DCE style %t, mutual %t", name, in.DCEStyle(), in.Mutual())
		}
	}
}

// Forms that servers read.
func TestOtherEncodingsOfATicketNameItsUser(t *testing.T) {
	k := newKDC(t, 18)
	good := k.request(t)
	long := func(octets int) []byte { // the outermost length in more octets than it needs
		body := good[4:]
		b := []byte{tagAPReq, 0x80 | byte(octets)}
		for n := octets - 1; n >= 0; n-- {
			b = append(b, byte(len(body)>>(8*n)))
		}
		return append(b, body...)
	}
	many := func(n int) types.AuthorizationData {
		return slices.Repeat(types.AuthorizationData{{ADType: 1, ADData: []byte{0x30, 0}}}, n)
	}
	crowded := newKDC(t, 18)
	crowded.authenticator = func(a *types.Authenticator) { a.AuthorizationData = many(210) }
	laden := newKDC(t, 18)
	laden.data = append(many(210), laden.data...)
	elsewhere := newKDC(t, 18)
	elsewhere.realm = ""
	unnamed := newKDC(t, 18)
	unnamed.sname = nil
	for name, token := range map[string][]byte{
		"length of three octets":            long(3),
		"length of four octets":             long(4),
		"length of seven octets":            long(7),
		"indefinite length":                 slices.Concat([]byte{tagAPReq, 0x80}, good[4:], []byte{0, 0}),
		"four bytes behind":                 append(slices.Clone(good), 1, 2, 3, 4),
		"framed, bytes behind":              append(framed(mechanisms[0], []byte{1, 0}, good), 0, 0),
		"210 elements in the authenticator": crowded.request(t),
		"210 elements in the ticket":        laden.request(t),
		"no realm in clear":                 elsewhere.request(t),
		"no service in clear":               unnamed.request(t),
	} {
		if in, o := OpenAPReq(token, k.keys(t).Service("dc1.lab.test")); in == nil || in.PAC == nil || in.PAC.SID != kitUserSID {
			t.Errorf("%s: %s", name, o)
		}
	}
}

func TestSequenceNumbersAreTheLow32Bits(t *testing.T) {
	k := newKDC(t, 18)
	k.authenticator = func(a *types.Authenticator) { a.SeqNumber = -2 }
	k.reply = func(p *messages.EncAPRepPart) { p.SequenceNumber = 0xffffffff }
	in := opened(t, k)
	e, err := in.OpenAPRep(k.answer(t))
	if err != nil || in.Sequence != 0xfffffffe || e.AcceptorSequence != 0xffffffff {
		t.Error(in.Sequence, e, err)
	}
}

func TestDelegatedCredentialsBehindTheFlagsAreIgnored(t *testing.T) {
	k := newKDC(t, 18)
	k.authenticator = func(a *types.Authenticator) { a.Cksum.Checksum = append(a.Cksum.Checksum, make([]byte, 1600)...) }
	opened(t, k)
}

func TestTicketWithoutPACOpensWithoutIdentity(t *testing.T) {
	k := newKDC(t, 18)
	k.data = nil
	if in := opened(t, k); in.PAC != nil || in.PACErr != nil {
		t.Error(in.PAC, in.PACErr)
	}
}

func TestReplayIDSurvivesAnotherEncodingOfTheSameAuthenticator(t *testing.T) {
	k := newKDC(t, 18)
	token := k.request(t)
	first, _ := OpenAPReq(token, k.keys(t).Service(""))
	again, _ := OpenAPReq(framed(mechanisms[1], []byte{1, 0}, token), k.keys(t).Service(""))
	fresh := opened(t, k)
	if first.ReplayID != again.ReplayID {
		t.Error("a frame around a replayed AP-REQ makes it look fresh")
	}
	if first.ReplayID == fresh.ReplayID {
		t.Error("two AP-REQs with one ReplayID")
	}
}

func TestAPRepMustAnswerThisAPReq(t *testing.T) {
	for _, tc := range []struct {
		name string
		edit func(*kdc)
	}{
		{"another session key", func(k *kdc) { k.session = secret(18, 0xee) }},
		{"another second", func(k *kdc) {
			k.reply = func(p *messages.EncAPRepPart) { p.CTime = p.CTime.Add(1e9) }
		}},
		{"another microsecond", func(k *kdc) { k.reply = func(p *messages.EncAPRepPart) { p.Cusec++ } }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k := newKDC(t, 18)
			in := opened(t, k)
			tc.edit(k)
			if e, err := in.OpenAPRep(k.answer(t)); err == nil {
				t.Error(e)
			}
		})
	}
}

// The server has read the ticket, whatever key it brings.
func TestAPRepWithAKeyThatCannotBeUsedIsAnAnswer(t *testing.T) {
	for name, reply := range map[string]func(*messages.EncAPRepPart){
		"too long":        func(p *messages.EncAPRepPart) { p.Subkey.KeyValue = make([]byte, 33) },
		"an unknown type": func(p *messages.EncAPRepPart) { p.Subkey.KeyType = 99 },
	} {
		k := newKDC(t, 18)
		k.reply = reply
		e, err := opened(t, k).OpenAPRep(k.answer(t))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, _, err := e.Streams(); err == nil {
			t.Errorf("%s: it protects", name)
		}
	}
}

func TestThirdLegMustRepeatTheServersNumber(t *testing.T) {
	k := newKDC(t, 18)
	e, err := opened(t, k).OpenAPRep(k.answer(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, part := range map[string]messages.EncAPRepPart{
		"another number": {CTime: kitTime, Cusec: kitCusec, SequenceNumber: kitAcceptor + 1},
	} {
		if err := e.CheckThirdLeg(k.answerOf(t, part)); !errors.Is(err, &wire.Error{Class: wire.ClassAuth}) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWipeOverwritesTheKeysOfTheHandshakeOnly(t *testing.T) {
	k := newKDC(t, 18)
	kt := k.keys(t)
	in, _ := OpenAPReq(k.request(t), kt.Service(""))
	e, err := in.OpenAPRep(k.answer(t))
	if err != nil {
		t.Fatal(err)
	}
	e.Wipe()
	for _, key := range []Key{e.acceptor(), in.subkey(), in.session()} {
		if !bytes.Equal(key.Value, make([]byte, len(key.Value))) {
			t.Errorf("%s is left", key)
		}
	}
	if in, o := OpenAPReq(k.request(t), kt.Service("")); in == nil {
		t.Error("the keytab is wiped, too: ", o)
	}
}

func TestResultsHaveNamesForMetrics(t *testing.T) {
	var names []string
	for r := KeyFound; r <= Malformed; r++ {
		names = append(names, r.String())
	}
	if want := []string{"key_found", "no_key", "wrong_kvno", "undecryptable", "malformed"}; !slices.Equal(names, want) {
		t.Errorf("%q", names)
	}
	if got := Result(99).String(); got != "result(99)" {
		t.Error(got)
	}
}
