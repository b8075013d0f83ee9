package spnego

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// field is one field of a token that is written by hand.
func field(tag byte, content []byte) []byte { return appendElement(nil, tag, content) }

func octetField(tag byte, b []byte) []byte { return field(tag, field(tagOctetString, b)) }

// initOf writes a negTokenInit with these fields in this order.
func initOf(fields ...[]byte) []byte {
	body := field(tagContext0, field(tagSequence, slices.Concat(fields...)))
	return field(tagApplication, append(field(tagOID, []byte(OIDSPNEGO)), body...))
}

func respOf(fields ...[]byte) []byte {
	return field(tagContext1, field(tagSequence, slices.Concat(fields...)))
}

func offer(mechs ...OID) []byte { return field(tagContext0, AppendMechTypes(nil, mechs)) }

// longForm writes the head of the first element with a length of n octets.
func longForm(b []byte, n int) []byte {
	r := reader{b: b}
	tag, content, err := r.next()
	if err != nil {
		panic(err)
	}
	head := []byte{tag, 0x80 | byte(n)}
	for i := n - 1; i >= 0; i-- {
		if i >= 4 {
			head = append(head, 0)
		} else {
			head = append(head, byte(len(content.b)>>(8*i)))
		}
	}
	return append(head, content.b...)
}

func TestTicketIsFoundInEveryFormOfAnInit(t *testing.T) {
	usual := initOf(offer(OIDMSKerberos, OIDNTLM), octetField(tagContext2, apReq))
	bareInit := field(tagContext0, field(tagSequence, slices.Concat(offer(OIDMSKerberos, OIDNTLM), octetField(tagContext2, apReq))))
	gss := field(tagApplication, append(append(field(tagOID, []byte(OIDKerberos)), 1, 0), apReq...))
	for name, token := range map[string][]byte{
		"usual":                   usual,
		"length of three octets":  longForm(usual, 3),
		"length of four octets":   longForm(usual, 4),
		"length of nine octets":   longForm(usual, 9),
		"bytes behind":            append(bytes.Clone(usual), 1, 2, 3, 4),
		"without GSS frame":       bareInit,
		"ticket before mechs":     initOf(octetField(tagContext2, apReq), offer(OIDMSKerberos, OIDNTLM)),
		"two tokens, ticket last": initOf(offer(OIDMSKerberos), octetField(tagContext2, ntlmMessage), octetField(tagContext2, apReq)),
		"two lists, right last":   initOf(offer(OIDNTLM), offer(OIDMSKerberos), octetField(tagContext2, apReq)),
		"an unknown field":        initOf(offer(OIDMSKerberos), field(0xa9, []byte{5, 0}), octetField(tagContext2, apReq)),
		"100 mechanisms":          initOf(offer(slices.Concat([]OID{OIDMSKerberos}, slices.Repeat([]OID{OIDNTLM}, 100))...), octetField(tagContext2, apReq)),
		"SPNEGO offered first":    initOf(offer(OIDSPNEGO, OIDMSKerberos), octetField(tagContext2, apReq)),
		"padded identifier":       initOf(offer("\x2a\x86\x48\x80\x82\xf7\x12\x01\x02\x02"), octetField(tagContext2, apReq)),
		"GSS frame inside":        initOf(offer(OIDMSKerberos), octetField(tagContext2, gss)),
		"long GSS frame inside":   initOf(offer(OIDMSKerberos), octetField(tagContext2, longForm(gss, 4))),
	} {
		r := Read(token)
		if r.Err != nil || r.Kind != KindInit || r.Mech != MechKerberos || !bytes.Equal(r.Message, apReq) ||
			r.Offered != OIDMSKerberos || !r.Optimistic() {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestTokenOfAnInitIsOfTheFirstMechanismOnly(t *testing.T) {
	for name, token := range map[string][]byte{
		"unknown first":   initOf(offer("\x2a\x03\x04", OIDMSKerberos), octetField(tagContext2, apReq)),
		"NTLM first":      initOf(offer(OIDNTLM, OIDMSKerberos), octetField(tagContext2, apReq)),
		"nothing offered": initOf(octetField(tagContext2, apReq)),
		"last list":       initOf(offer(OIDMSKerberos), offer(OIDNegoEx), octetField(tagContext2, apReq)),
		"no token":        initOf(offer(OIDMSKerberos)),
		"empty token":     initOf(offer(OIDMSKerberos), octetField(tagContext2, apReq), octetField(tagContext2, nil)),
	} {
		if r := Read(token); r.Err != nil || r.Kind != KindInit || r.Optimistic() {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestAnswersAreReadInEveryForm(t *testing.T) {
	state := field(tagContext0, []byte{tagEnumerated, 1, byte(StateRequestMIC)})
	mech := field(tagContext1, field(tagOID, []byte(OIDKerberos)))
	message, mic := octetField(tagContext2, apReq), octetField(tagContext3, []byte{7})
	usual := respOf(state, mech, message, mic)
	for name, token := range map[string][]byte{
		"usual":                  usual,
		"length of four octets":  longForm(usual, 4),
		"bytes behind":           append(bytes.Clone(usual), 0, 0),
		"fields in another turn": respOf(mic, message, mech, state),
		"two tokens":             respOf(state, mech, octetField(tagContext2, ntlmMessage), message, mic),
	} {
		r := Read(token)
		if r.Err != nil || r.Kind != KindResp || !r.HasState || r.State != StateRequestMIC || r.SupportedMech != OIDKerberos ||
			r.Mech != MechKerberos || !bytes.Equal(r.Message, apReq) || !bytes.Equal(r.ListMIC, []byte{7}) {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if r := Read(unhex(t, "a107 3005 a003 0a0109")); r.Err != nil || r.State != 9 {
		t.Errorf("a state that RFC 4178 does not have: %+v", r)
	}
}

func TestBareMessagesAreRead(t *testing.T) {
	gssNTLM := field(tagApplication, append(field(tagOID, []byte(OIDNTLM)), ntlmMessage...))
	gssKerberos := field(tagApplication, append(append(field(tagOID, []byte(OIDKerberos)), 1, 0), apReq...))
	for _, tc := range []struct {
		token, message []byte
		mech           Mech
	}{
		{ntlmMessage, ntlmMessage, MechNTLM},
		{gssNTLM, ntlmMessage, MechNTLM},
		{apReq, apReq, MechKerberos},
		{gssKerberos, apReq, MechKerberos},
		{longForm(gssKerberos, 5), apReq, MechKerberos},
	} {
		if r := Read(tc.token); r.Err != nil || r.Kind != KindBare || r.Mech != tc.mech || !bytes.Equal(r.Message, tc.message) {
			t.Errorf("%x: %+v", tc.token, r)
		}
	}
}

func TestOtherMessagesAreOfAnotherMechanism(t *testing.T) {
	r := Read(initOf(offer(OIDNegoEx), octetField(tagContext2, []byte("NEGOEXTS"))))
	if r.Err != nil || r.Mech != MechOther || r.Message != nil || len(r.Token) == 0 {
		t.Errorf("%+v", r)
	}
}

func TestTokensThatCannotBeReadSaySo(t *testing.T) {
	whole := initOf(offer(OIDMSKerberos), octetField(tagContext2, apReq))
	for i := range whole {
		r := Read(whole[:i])
		if r.Err == nil || r.Message != nil || r.Kind != KindUnknown {
			t.Fatalf("%d of %d bytes: %+v", i, len(whole), r)
		}
		if i >= 2 && r.Missing != len(whole)-i {
			t.Fatalf("%d of %d bytes: %d are missing", i, len(whole), r.Missing)
		}
	}
	for name, token := range map[string][]byte{
		"another tag":          unhex(t, "3003020100"),
		"indefinite length":    unhex(t, "a180 3005 a003 0a0100 0000"),
		"inner length too big": unhex(t, "a107 3006 a003 0a0100"),
		"state of two bytes":   unhex(t, "a108 3006 a004 0a020000"),
		"state of no bytes":    unhex(t, "a106 3004 a002 0a00"),
		"not SPNEGO":           field(tagApplication, field(tagOID, []byte(OIDNTLM))),
		"a list of no OIDs":    initOf(field(tagContext0, field(tagSequence, []byte{5, 0}))),
	} {
		if r := Read(token); r.Err == nil || r.Missing != 0 {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// Order, length form and bytes behind change nothing of what is read.
func TestReadingDoesNotDependOnTheForm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		message := rapid.SampledFrom([][]byte{apReq, ntlmMessage, []byte("other")}).Draw(t, "message")
		mechs := rapid.SliceOfN(rapid.SampledFrom([]OID{OIDMSKerberos, OIDKerberos, OIDNTLM, OIDNegoEx}), 1, 50).Draw(t, "mechs")
		fields := [][]byte{offer(mechs...), octetField(tagContext2, message), octetField(tagContext4, []byte{1})}
		want := Read(initOf(fields...))
		for i, f := range fields {
			if n := rapid.IntRange(0, 9).Draw(t, "octets"); n > 2 {
				fields[i] = longForm(f, n)
			}
		}
		token := append(initOf(rapid.Permutation(fields).Draw(t, "order")...), rapid.SliceOf(rapid.Byte()).Draw(t, "behind")...)
		got := Read(token)
		if got.Err != nil || got.Offered != mechs[0] || got.Mech != want.Mech || !bytes.Equal(got.Token, message) ||
			!bytes.Equal(got.MechList, want.MechList) || !bytes.Equal(got.ListMIC, want.ListMIC) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	})
}

func TestReadingAHostileTokenAllocatesLittle(t *testing.T) {
	many := initOf(offer(slices.Repeat([]OID{""}, 32000)...), octetField(tagContext2, apReq))
	for name, token := range map[string][]byte{"many mechanisms": many, "usual": respOf(octetField(tagContext2, apReq))} {
		if n := testing.AllocsPerRun(20, func() { Read(token) }); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(initOf(offer(OIDSPNEGO, OIDKerberos, OIDNTLM), octetField(tagContext2, apReq), octetField(tagContext4, []byte{1})))
	f.Add(longForm(respOf(octetField(tagContext2, ntlmMessage), field(tagContext0, []byte{tagEnumerated, 1, 1})), 4))
	f.Add(field(tagApplication, append(append(field(tagOID, []byte(OIDKerberos)), 1, 0), apReq...)))
	f.Add(unhex(f, "a180 3080"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := Read(b)
		if (r.Err != nil) != (r.Kind == KindUnknown) {
			t.Fatalf("kind %d with error %v", r.Kind, r.Err)
		}
		if r.Message != nil && bare(r.Message) != r.Mech {
			t.Fatalf("a message of %v is called %v", bare(r.Message), r.Mech)
		}
		if r.Err == nil && r.Missing != 0 {
			t.Fatal("understood and not whole")
		}
		strict, err := Parse(b)
		if err != nil || r.Kind == KindBare {
			return
		}
		if r.Err == nil && (strict.Init != (r.Kind == KindInit) || !bytes.Equal(strict.MechToken, r.Token)) {
			t.Fatalf("strictly %+v, leniently %+v", strict, r)
		}
	})
}
