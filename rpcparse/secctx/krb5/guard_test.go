package krb5

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/oiweiwei/gokrb5.fork/v9/crypto"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/keyusage"
	"github.com/oiweiwei/gokrb5.fork/v9/types"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// der is one element with its shortest length.
func der(tag byte, contents ...[]byte) []byte {
	content := slices.Concat(contents...)
	switch n := len(content); {
	case n < 0x80:
		return append([]byte{tag, byte(n)}, content...)
	case n < 0x100:
		return append([]byte{tag, 0x81, byte(n)}, content...)
	default:
		return append([]byte{tag, 0x82, byte(n >> 8), byte(n)}, content...)
	}
}

// TestShortCiphertextsNeverReachALibrary is row 29 of the adversarial inputs:
// in the ticket, the authenticator and the AP-REP, for each encryption type,
// every length below confounder and checksum and a few above.
func TestShortCiphertextsNeverReachALibrary(t *testing.T) {
	for _, etype := range allEtypes {
		t.Run(fmt.Sprint(etype), func(t *testing.T) {
			k := newKDC(t, etype)
			kt := k.keys(t)
			in := opened(t, k)
			ticket, err := crypto.GetEncryptedData(k.ticketPart(t), libraryKey(k.service), keyusage.KDC_REP_TICKET, k.kvno)
			must(t, 0, err)
			for n := range encryptionTypeOf(etype).minCipher() + 40 {
				short := types.EncryptedData{EType: etype, KVNO: k.kvno, Cipher: bytes.Repeat([]byte{0xab}, n)}
				checkOutcome(t, k.requestWith(t, short, short), kt, Undecryptable, n < encryptionTypeOf(etype).minCipher())
				checkOutcome(t, k.requestWith(t, ticket, short), kt, Malformed, n < encryptionTypeOf(etype).minCipher())
				reply := der(tagAPRep, der(0x30, der(0xa0, []byte{2, 1, 5}), der(0xa1, []byte{2, 1, 15}),
					der(0xa2, der(0x30, der(0xa0, []byte{2, 1, byte(etype)}), der(0xa2, der(4, short.Cipher))))))
				_, err := in.OpenAPRep(reply)
				if err == nil || isNamed(err, nameLibraryPanic) || isNamed(err, nameCipher) != (n < encryptionTypeOf(etype).minCipher()) {
					t.Errorf("AP-REP of %d bytes: %v", n, err)
				}
			}
		})
	}
}

func checkOutcome(t *testing.T, request []byte, kt *Keytab, want Result, short bool) {
	t.Helper()
	in, o := OpenAPReq(request, kt.Service(""))
	if in != nil || o.Result != want || isNamed(o.Err, nameLibraryPanic) || isNamed(o.Err, nameCipher) != short {
		t.Errorf("%s", o)
	}
}

func isNamed(err error, name string) bool {
	return errors.Is(err, &wire.Error{Name: name})
}

// The encryption type of a message is in clear: servers use that of the key.
func TestEncryptionTypeInClearIsNotAsked(t *testing.T) {
	k := newKDC(t, 18)
	auth := k.encrypted(t, k.session, k.authenticatorPart(t), keyusage.AP_REQ_AUTHENTICATOR)
	auth.EType = 99
	ticket := k.encrypted(t, k.service, k.ticketPart(t), keyusage.KDC_REP_TICKET)
	if in, o := OpenAPReq(k.requestWith(t, ticket, auth), k.keys(t).Service("")); in == nil || in.Protection != nil {
		t.Error(o)
	}
}

// TestHostileAPReqs is row 30 of the adversarial inputs.
func TestHostileAPReqs(t *testing.T) {
	k := newKDC(t, 18)
	good := k.request(t)
	nested := []byte{4, 0}
	for range 10000 {
		nested = der(0x30, nested)
		if len(nested) > maxMessage-8 {
			break
		}
	}
	wide := bytes.Repeat([]byte{5, 0}, 20000)
	for name, token := range map[string][]byte{
		"empty":                     nil,
		"a tag only":                {tagAPReq},
		"no fields":                 der(tagAPReq, der(0x30)),
		"no sequence":               der(tagAPReq),
		"AP-REP":                    k.answer(t),
		"length beyond the token":   {tagAPReq, 0x82, 0xff, 0xff, 0x30, 0},
		"length of 127 octets":      {tagAPReq, 0xff, 0, 0},
		"length beyond any":         {tagAPReq, 0x83, 1, 0, 0, 0x30, 0},
		"indefinite, without end":   {tagAPReq, 0x80, 0x30, 0},
		"indefinite, primitive":     der(tagAPReq, []byte{4, 0x80, 0, 0}),
		"length cut off":            {tagAPReq, 0x82, 1},
		"indefinite length":         {tagAPReq, 0x80, 0x30, 0x80, 0, 0, 0, 0},
		"10,000 nested containers":  der(tagAPReq, nested),
		"20,000 elements":           der(tagAPReq, der(0x30, wide)),
		"tag of several octets":     der(tagAPReq, []byte{0x3f, 0x81, 0x01, 0}),
		"element over its end":      der(tagAPReq, []byte{0x30, 4, 0xa0, 3, 2, 1, 5}),
		"65536 bytes":               append(slices.Clone(good), make([]byte, maxMessage)...),
		"message type of an AP-REP": bytes.Replace(good, []byte{0xa1, 3, 2, 1, 14}, []byte{0xa1, 3, 2, 1, 15}, 1),
		"version 4":                 bytes.Replace(good, []byte{0xa0, 3, 2, 1, 5}, []byte{0xa0, 3, 2, 1, 4}, 1),
	} {
		in, o := OpenAPReq(token, k.keys(t).Service(""))
		if in != nil || o.Result != Malformed || isNamed(o.Err, nameLibraryPanic) {
			t.Errorf("%s: %s", name, o)
		}
	}
	for n := range good {
		if in, o := OpenAPReq(good[:n], k.keys(t).Service("")); in != nil || o.Result != Malformed {
			t.Fatalf("the first %d bytes: %s", n, o)
		}
	}
}

// TestAPReqWithoutOneFieldIsOfItsClientOrOfNone removes each element in turn: what
// is missing may leave the ticket unread, and never makes it another one.
func TestAPReqWithoutOneFieldIsOfItsClientOrOfNone(t *testing.T) {
	k := newKDC(t, 18)
	kt := k.keys(t)
	needed := 0
	eachWithoutOne(k.request(t), func(b []byte) {
		in, o := OpenAPReq(b, kt.Service(""))
		if in == nil {
			needed++
		} else if in.PAC == nil || in.PAC.SID != kitUserSID {
			t.Errorf("%v: % x", in.PAC, b[:min(len(b), 64)])
		}
		if isNamed(o.Err, nameLibraryPanic) {
			t.Error(o)
		}
	})
	if needed < 12 {
		t.Errorf("%d elements are needed", needed)
	}
}

// eachWithoutOne calls f with every variant of the DER in b that lacks one
// element.
func eachWithoutOne(b []byte, f func([]byte)) {
	var walk func(b []byte, wrap func([]byte) []byte)
	walk = func(b []byte, wrap func([]byte) []byte) {
		for at := 0; at < len(b); {
			w := derWalk{b: b}
			start, size, err := w.length(at+1, len(b))
			if err != nil || start+size > len(b) {
				return
			}
			end, head := start+size, at
			f(wrap(slices.Concat(b[:head], b[end:])))
			if b[head]&derConstructed != 0 {
				walk(b[start:end], func(inner []byte) []byte {
					return wrap(slices.Concat(b[:head], der(b[head], inner), b[end:]))
				})
			}
			at = end
		}
	}
	walk(b, func(b []byte) []byte { return b })
}

func TestHostilePlaintextsOfClients(t *testing.T) {
	k := newKDC(t, 18)
	kt := k.keys(t)
	ticket, auth := k.ticketPart(t), k.authenticatorPart(t)
	try := func(request []byte) {
		if _, o := OpenAPReq(request, kt.Service("")); isNamed(o.Err, nameLibraryPanic) {
			t.Error(o)
		}
	}
	eachWithoutOne(auth, func(b []byte) { try(k.requestOf(t, ticket, b)) })
	eachWithoutOne(ticket, func(b []byte) { try(k.requestOf(t, b, auth)) })
	for n := range auth {
		if in, o := OpenAPReq(k.requestOf(t, ticket, auth[:n]), kt.Service("")); in == nil || in.Protection == nil || !in.DCEStyle() {
			t.Fatalf("an authenticator of %d bytes: %s", n, o)
		}
	}
}

func TestPanicsOfLibrariesBecomeErrorsThatQuoteNothing(t *testing.T) {
	key := secret(18, 0x51)
	for name, call := range map[string]func() error{
		"panic":         func() error { panic(key.Value) },
		"runtime error": func() error { return fmt.Errorf("%d", key.Value[int(key.Value[0])]) },
		"error":         func() error { return fmt.Errorf("the key is %x", key.Value) },
	} {
		err := guarded("ticket", call)
		if !isNamed(err, nameLibraryPanic) && !isNamed(err, nameLibrary) {
			t.Errorf("%s: %v", name, err)
		}
		if hit := leak(fmt.Sprintf("%v %+v %#v", err, err, err), key.Value); hit != "" {
			t.Errorf("%s: the key is shown as %s", name, hit)
		}
	}
	if err := guarded("ticket", func() error { return nil }); err != nil {
		t.Error(err)
	}
}

func TestDERLimitsAreWhatTheySay(t *testing.T) {
	nest := func(n int) []byte {
		b := []byte{4, 0}
		for range n - 1 {
			b = der(0x30, b)
		}
		return b
	}
	if _, err := canonical(nest(maxDERDepth), "test"); err != nil {
		t.Error(err)
	}
	if _, err := canonical(nest(maxDERDepth+1), "test"); !errors.Is(err, &wire.Error{Class: wire.ClassLimit}) {
		t.Error(err)
	}
	wide := func(n int) []byte { return der(0x30, bytes.Repeat([]byte{5, 0}, n-1)) }
	if _, err := canonical(wide(maxDERElements), "test"); err != nil {
		t.Error(err)
	}
	if _, err := canonical(wide(maxDERElements+1), "test"); !errors.Is(err, &wire.Error{Class: wire.ClassLimit}) || !strings.Contains(err.Error(), "1024") {
		t.Error(err)
	}
}

func TestHostileAPReps(t *testing.T) {
	k := newKDC(t, 18)
	in := opened(t, k)
	good := k.answer(t)
	for n := range good {
		if e, err := in.OpenAPRep(good[:n]); err == nil {
			t.Fatalf("the first %d bytes: %v", n, e)
		}
	}
	eachWithoutOne(good, func(b []byte) {
		if e, err := in.OpenAPRep(b); e != nil && !bytes.Equal(e.Keys().Key.Value, k.server.Value) || isNamed(err, nameLibraryPanic) {
			t.Errorf("% x: %v, %v", b[:min(len(b), 32)], e, err)
		}
	})
	part := k.answerPart()
	plain, err := part.Marshal()
	must(t, 0, err)
	for n := range plain {
		if e, err := in.OpenAPRep(k.answerWith(t, plain[:n])); err == nil {
			t.Fatalf("a plain text of %d bytes: %v", n, e)
		}
	}
	for name, edit := range map[string][2][]byte{
		"version 4":             {{0xa0, 3, 2, 1, 5}, {0xa0, 3, 2, 1, 4}},
		"the type of an AP-REQ": {{0xa1, 3, 2, 1, 15}, {0xa1, 3, 2, 1, 14}},
	} {
		if e, err := in.OpenAPRep(bytes.Replace(good, edit[0], edit[1], 1)); err == nil {
			t.Errorf("%s: %v", name, e)
		}
	}
}
