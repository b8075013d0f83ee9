package krb5

import (
	"bytes"
	"errors"
	"testing"

	"github.com/oiweiwei/gokrb5.fork/v9/crypto"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/keyusage"
	"github.com/oiweiwei/gokrb5.fork/v9/types"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// fuzzKit is a handshake of one encryption type whose ciphertexts are made
// once: making them takes longer than reading them.
type fuzzKit struct {
	*kdc
	keytab                *Keytab
	ticket, authenticator types.EncryptedData
}

// fuzzKits has one for each encryption type.
func fuzzKits(f *testing.F) (kits []fuzzKit) {
	for _, etype := range allEtypes {
		k := fuzzKit{kdc: newKDC(f, etype)}
		k.keytab = k.keys(f)
		k.ticket = k.encrypted(f, k.service, k.ticketPart(f), keyusage.KDC_REP_TICKET)
		k.authenticator = k.encrypted(f, k.session, k.authenticatorPart(f), keyusage.AP_REQ_AUTHENTICATOR)
		kits = append(kits, k)
	}
	return kits
}

func (k *kdc) encrypted(t testing.TB, key Key, plain []byte, usage uint32) types.EncryptedData {
	ed, err := crypto.GetEncryptedData(plain, libraryKey(key), usage, 0)
	return must(t, ed, err)
}

// noPanic fails when a library panicked: the guards in front are there so that
// none does.
func noPanic(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, &wire.Error{Name: nameLibraryPanic}) {
		t.Fatal(err)
	}
}

// FuzzOpenAPReq reads hostile tokens: what is in clear in an AP-REQ.
func FuzzOpenAPReq(f *testing.F) {
	var entries []*Keytab
	for _, etype := range allEtypes {
		k := newKDC(f, etype)
		token := k.request(f)
		f.Add(token)
		f.Add(framed(mechanisms[0], []byte{1, 0}, token))
		entries = append(entries, k.keys(f))
	}
	f.Add([]byte{tagAPReq, 0x80, 0, 0})
	f.Add([]byte{tagKRBError, 0})
	kt := Join(entries...)
	f.Fuzz(func(t *testing.T, token []byte) {
		in, o := OpenAPReq(token, kt.Service(""))
		noPanic(t, o.Err)
		if (in != nil) != (o.Result == KeyFound) || o.String() == "" || (o.Result == Malformed) != (o.Service == "" || o.Err != nil && o.Result != Undecryptable) {
			t.Fatalf("%v with %s", in, o)
		}
		IsKRBError(token)
	})
}

// FuzzAuthenticator opens AP-REQs of a client that encrypts anything.
func FuzzAuthenticator(f *testing.F) {
	k := newKDC(f, 18)
	f.Add(byte(1), k.authenticatorPart(f))
	k.client = nil
	f.Add(byte(4), k.authenticatorPart(f))
	kits := fuzzKits(f)
	f.Fuzz(func(t *testing.T, etype byte, plain []byte) {
		k := kits[int(etype)%len(kits)]
		in, o := OpenAPReq(k.requestWith(t, k.ticket, k.encrypted(t, k.session, plain, keyusage.AP_REQ_AUTHENTICATOR)), k.keytab.Service(""))
		noPanic(t, o.Err)
		if in != nil && !in.DCEStyle() && in.Protection == nil {
			t.Fatal("protected without DCE style")
		}
	})
}

// FuzzTicket opens tickets of a KDC that encrypts anything.
func FuzzTicket(f *testing.F) {
	k := newKDC(f, 18)
	f.Add(byte(1), k.ticketPart(f))
	k.data = nil
	f.Add(byte(4), k.ticketPart(f))
	kits := fuzzKits(f)
	f.Fuzz(func(t *testing.T, etype byte, plain []byte) {
		k := kits[int(etype)%len(kits)]
		in, o := OpenAPReq(k.requestWith(t, k.encrypted(t, k.service, plain, keyusage.KDC_REP_TICKET), k.authenticator), k.keytab.Service(""))
		noPanic(t, o.Err)
		if in != nil {
			noPanic(t, in.PACErr)
		}
	})
}

// FuzzOpenAPRep reads hostile answers, in clear and encrypted.
func FuzzOpenAPRep(f *testing.F) {
	k := newKDC(f, 18)
	in, o := OpenAPReq(k.request(f), k.keys(f).Service(""))
	if in == nil {
		f.Fatal(o)
	}
	f.Add(k.answer(f))
	f.Add(framed(mechanisms[1], []byte{2, 0}, k.answer(f)))
	k.server = nil
	f.Add(k.answer(f))
	f.Fuzz(func(t *testing.T, token []byte) {
		e, err := in.OpenAPRep(token)
		noPanic(t, err)
		if (e == nil) != (err != nil) {
			t.Fatal(e, err)
		}
		if e != nil {
			noPanic(t, e.CheckThirdLeg(token))
			_, _, err := e.Streams()
			noPanic(t, err)
		}
	})
}

// FuzzAPRepPart opens answers of a peer that encrypts anything.
func FuzzAPRepPart(f *testing.F) {
	k := newKDC(f, 18)
	in, o := OpenAPReq(k.request(f), k.keys(f).Service(""))
	if in == nil {
		f.Fatal(o)
	}
	for _, key := range []*Key{k.server, nil} {
		k.server = key
		part := k.answerPart()
		b, err := part.Marshal()
		f.Add(must(f, b, err))
	}
	f.Fuzz(func(t *testing.T, plain []byte) {
		e, err := in.OpenAPRep(k.answerWith(t, plain))
		noPanic(t, err)
		if e != nil {
			_, _, err = e.Streams()
			noPanic(t, err)
		}
	})
}

// FuzzParsePAC parses PACs that are signed whatever they are.
func FuzzParsePAC(f *testing.F) {
	f.Add(newPAC().sign(f, pacKey))
	p := newPAC()
	i := newLogonInfo()
	i.userID, i.groups, i.resources, i.resourceDomain = 0, nil, nil, sid{}
	p.set(pacLogonInfo, appendLogonInfo(i))
	f.Add(p.sign(f, pacKey))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, err := ParsePAC(b, pacKey)
		noPanic(t, err)
		b = append([]byte(nil), b...)
		resign(t, b, pacKey)
		got, err := ParsePAC(b, pacKey)
		noPanic(t, err)
		if err == nil && got.SID == "" {
			t.Fatal("a PAC without a user")
		}
	})
}

// FuzzParseKeytab reads files that are no keytabs.
func FuzzParseKeytab(f *testing.F) {
	f.Add(keytabFile(f, entry("DC1$@LAB.TEST", 300, secret(18, 1)), entry("exchangeAB/dc1.lab.test@LAB.TEST", 2, secret(23, 2))))
	f.Add([]byte{5, 2, 0xff, 0xff, 0xff, 0xf8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{5, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		kt, err := ParseKeytab(data)
		noPanic(t, err)
		for _, e := range kt.Entries() {
			if checkKey(e.key(), "key") != nil || len(e.Name) == 0 || e.Realm == "" {
				t.Fatal(e)
			}
			kt.Service("").candidates(e.Realm, e.Name, e.Etype, e.Kvno)
			kt.NTHashes(e.Realm, e.Name[0])
		}
	})
}

// FuzzCanonical holds what is written down again to what it is: one element, in
// the shortest form, which is written as itself.
func FuzzCanonical(f *testing.F) {
	f.Add(newKDC(f, 18).request(f))
	f.Add([]byte{0x30, 0x80, 0, 0})
	f.Add([]byte{0x30, 0x84, 0, 0, 0, 4, 4, 0x83, 0, 0, 1, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		once, err := canonical(b, "test")
		if err != nil {
			return
		}
		if twice, err := canonical(once, "test"); err != nil || !bytes.Equal(once, twice) || len(once) > len(b) {
			t.Fatalf("% x becomes % x, then % x, %v", b, once, twice, err)
		}
		w := derWalk{b: once}
		if start, size, err := w.length(1, len(once)); err != nil || start+size != len(once) {
			t.Fatal(start, size, err)
		}
	})
}
