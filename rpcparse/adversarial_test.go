package rpcparse

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
)

// The tests of this file are the rows of the handbook's table of adversarial
// inputs that concern framing and single PDUs. The row is named in each.

// Row 2: CVE-2015-5370 (Samba).
func TestTrailerWithoutTokenIsStub(t *testing.T) {
	pdu := golden(t, "NspiUnbind request with a dummy verifier")
	pdu[10] = 0 // auth_length
	x, err := ParseRequest(pdu)
	if err != nil || x.HasVerifier || len(x.Stub) != len(pdu)-24 {
		t.Errorf("%+v, %v", x, err)
	}
}

// Row 2: padding larger than what it pads.
func TestPaddingBeyondTheBodyIsInvalid(t *testing.T) {
	for name, at := range map[string]int{
		"NspiUnbind request with a dummy verifier": 56,
		"request with an object UUID":              72,
		"sealed response":                          72,
		"auth3":                                    20,
		"alter_context_resp with a final leg":      56,
		"big-endian bind with an NTLM negotiate":   116,
	} {
		pdu := golden(t, name)
		c := codecOf(t, PType(pdu[2]))
		// The largest padding that fits is the whole variable part.
		for pad := 255; pad >= 0; pad-- {
			pdu[at+2] = byte(pad)
			err := c.parseOnly(pdu)
			if pad == 0 && err != nil || pad == 255 && !errors.Is(err, &Error{Class: ClassInvalid, Name: "auth_pad_length"}) {
				t.Errorf("%s padded by %d: %v", name, pad, err)
			}
			c.checkBytes(t, pdu)
		}
	}
}

// Row 2: in a handshake the padding is bounded as servers bound it. Samba's
// test-suite sends these and expects the first to be accepted.
func TestHandshakePaddingIsBoundedAsServersDo(t *testing.T) {
	bind := Bind{Header: Header{Type: PTypeBind, Drep: DrepLittleEndian}, HasVerifier: true, Verifier: Verifier{Token: make([]byte, 40)},
		Contexts: NewContextList(ContextElement{Abstract: sampleInterface, Transfers: NewSyntaxList(SyntaxNDR)})}
	pdu, err := AppendBind(nil, bind)
	if err != nil {
		t.Fatal(err)
	}
	for pad, want := range map[byte]Class{48: 0, 49: ClassInvalid} {
		pdu[74] = pad
		if _, err := ParseBind(pdu); ClassOf(err) != want {
			t.Errorf("%d: %v", pad, err)
		}
	}
}

// Row 2: a PDU above the limit, from client or server.
func TestOversizedPDUIsOverTheLimitAtItsHeader(t *testing.T) {
	for _, tc := range []struct {
		dir Direction
		p   PType
	}{{ClientToServer, PTypeRequest}, {ServerToClient, PTypeResponse}, {ServerToClient, PTypeFault}, {ClientToServer, PTypeAuth3}} {
		f := &Framer{Dir: tc.dir}
		header := AppendHeader(nil, Header{Type: tc.p, Drep: DrepLittleEndian, FragLength: 5841})
		if _, _, err := f.Next(header); !errors.Is(err, &Error{Class: ClassLimit, Name: "frag_length"}) {
			t.Errorf("%v: %v", tc.p, err)
		}
	}
}

// Row 2: flag 0x04 outside a handshake is a pending cancel, nothing more.
func TestPendingCancelChangesNothing(t *testing.T) {
	pdu := golden(t, "NspiBind request")
	before, err := ParseRequest(pdu)
	if err != nil {
		t.Fatal(err)
	}
	pdu[3] |= byte(FlagPendingCancel)
	after, err := ParseRequest(pdu)
	if err != nil || len(after.Stub) != len(before.Stub) || after.Type.Handshake() {
		t.Errorf("%+v, %v", after, err)
	}
}

// Rows 4, 5 and 12: sums of lengths that wrap, counters of 16 bits. A framer
// counts nothing, in either direction.
func TestMoreFragmentsThanACounterHolds(t *testing.T) {
	const fragments = 70_000
	for _, tc := range []struct {
		dir Direction
		p   PType
	}{{ClientToServer, PTypeRequest}, {ServerToClient, PTypeResponse}} {
		pdu := make([]byte, 4096)
		AppendHeader(pdu[:0], Header{Type: tc.p, Drep: DrepLittleEndian, FragLength: 4096})
		f := &Framer{Dir: tc.dir}
		for i := range fragments {
			if got, _, err := f.Next(pdu); err != nil || len(got) != 4096 {
				t.Fatalf("fragment %d of %v: %d, %v", i, tc.p, len(got), err)
			}
		}
	}
}

// Row 5: the handshake goes through the same limiter as data.
func TestHandshakePDUsAreLimitedToo(t *testing.T) {
	f := &Framer{Limits: Limits{MaxBind: 4096}}
	header := AppendHeader(nil, Header{Type: PTypeAlterContext, Drep: DrepLittleEndian, FragLength: 4097})
	if _, _, err := f.Next(header); ClassOf(err) != ClassLimit {
		t.Error(err)
	}
}

// Row 7: CVE-2026-31937 (Suricata). Byte by byte, each call looks at no more
// than a header, so what lies behind it is never read again.
func TestOneBytePerSegmentIsLookedAtOnce(t *testing.T) {
	pdu := make([]byte, 5840)
	AppendHeader(pdu[:0], Header{Drep: DrepLittleEndian, FragLength: 5840})
	f := new(Framer)
	for n := range len(pdu) {
		// The body may change between the calls: the framer must not care.
		for i := HeaderSize; i < n; i += 97 {
			pdu[i]++
		}
		if got, _, err := f.Next(pdu[:n]); got != nil || err != nil {
			t.Fatalf("%d bytes: %d, %v", n, len(got), err)
		}
		if want := len(pdu) - n; n >= HeaderSize && f.Need(pdu[:n]) != want {
			t.Fatalf("%d bytes: need %d, expected %d", n, f.Need(pdu[:n]), want)
		}
	}
	if got, _, err := f.Next(pdu); len(got) != len(pdu) || err != nil {
		t.Fatalf("%d, %v", len(got), err)
	}
}

// Row 8: OISF/suricata 7548.
func TestFragLengthBelowAHeaderIsInvalid(t *testing.T) {
	for n := range uint16(HeaderSize) {
		for _, drep := range []Drep{DrepLittleEndian, DrepBigEndian} {
			b := AppendHeader(nil, Header{Drep: drep, FragLength: n})
			if _, _, err := new(Framer).Next(b); !errors.Is(err, &Error{Class: ClassInvalid, Name: "frag_length"}) {
				t.Errorf("%d: %v", n, err)
			}
		}
	}
}

// Row 9: Suricata 7230. What is wrong is never waited for.
func TestInvalidHeaderIsNeverIncomplete(t *testing.T) {
	for name, b := range map[string][]byte{
		"version":      unhex(t, "04"),
		"TLS":          unhex(t, "16030100"),
		"HTTP":         []byte("RPC_IN_DATA /rpc"),
		"HTTP banner":  []byte("ncacn_http/1.0"),
		"type":         unhex(t, "050005"),
		"direction":    unhex(t, "050002"),
		"drep":         unhex(t, "0500000370"),
		"frag_length":  unhex(t, "05000003100000000f00000001000000"),
		"auth_length":  unhex(t, "05000003100000001800010001000000"),
		"limit":        unhex(t, "0500000310000000ffff000001000000"),
		"auth3 length": unhex(t, "05001003100000000016011001000000"),
	} {
		pdu, _, err := new(Framer).Next(b)
		if pdu != nil || err == nil || ClassOf(err) == ClassShort {
			t.Errorf("%s: %x, %v", name, pdu, err)
		}
	}
}

// Row 10: Suricata 7547. Directions share nothing.
func TestSplitPDUsInterleavedInBothDirections(t *testing.T) {
	client, wantClient := goldenStream(t, ClientToServer)
	server, wantServer := goldenStream(t, ServerToClient)
	fc, fs := &Framer{Dir: ClientToServer}, &Framer{Dir: ServerToClient}
	var gotClient, gotServer [][]byte
	var c, s int
	for end := range max(len(client), len(server)) + 1 {
		gotClient, c = step(t, fc, client, gotClient, c, end)
		gotServer, s = step(t, fs, server, gotServer, s, end)
	}
	samePDUs(t, gotClient, wantClient)
	samePDUs(t, gotServer, wantServer)
}

func step(t *testing.T, f *Framer, stream []byte, pdus [][]byte, start, end int) ([][]byte, int) {
	t.Helper()
	pdu, _, err := f.Next(stream[start:min(end, len(stream))])
	if err != nil {
		t.Fatal(err)
	}
	if pdu != nil {
		pdus = append(pdus, pdu)
	}
	return pdus, start + len(pdu)
}

// Row 13: what follows a PDU is the next PDU, and is judged as one.
func TestTrailingBytesAreTheNextPDU(t *testing.T) {
	pdu := golden(t, "NspiBind request")
	f := new(Framer)
	got, _, err := f.Next(append(bytes.Clone(pdu), "\x00\x00\x00"...))
	if err != nil || !bytes.Equal(got, pdu) {
		t.Fatalf("%x, %v", got, err)
	}
	if _, _, err := f.Next([]byte("\x00\x00\x00")); !errors.Is(err, &Error{Class: ClassInvalid, Name: "rpc_vers"}) {
		t.Errorf("trailing zeros: %v", err)
	}
}

// Row 13: types that do not belong on TCP.
func TestRTSAndUnknownTypesAreInvalidOnTCP(t *testing.T) {
	for _, p := range []PType{1, 4, 10, PTypeRTS, 21, 255} {
		for _, dir := range []Direction{ClientToServer, ServerToClient} {
			b := AppendHeader(nil, Header{Type: p, Drep: DrepLittleEndian, FragLength: 24})
			if _, _, err := (&Framer{Dir: dir}).Next(b); !errors.Is(err, &Error{Class: ClassInvalid, Name: "ptype"}) {
				t.Errorf("%v from %v: %v", p, dir, err)
			}
		}
	}
}

// Row 14: the most contexts that one bind can offer.
func TestBindOf255ContextsIsWalkedWhole(t *testing.T) {
	elems := make([]ContextElement, 255)
	for i := range elems {
		elems[i] = ContextElement{ID: uint16(i), Abstract: sampleInterface, Transfers: NewSyntaxList(SyntaxNDR, SyntaxNDR64)}
	}
	pdu, err := AppendBind(nil, Bind{Header: Header{Type: PTypeBind, Drep: DrepLittleEndian}, Contexts: NewContextList(elems...)})
	if err != nil {
		t.Fatal(err)
	}
	x, err := ParseBind(pdu)
	if err != nil {
		t.Fatal(err)
	}
	next := 0
	for i, e := range x.Contexts.All() {
		if i != next || int(e.ID) != i || e.Transfers.Len() != 2 {
			t.Fatalf("context %d: %+v", next, e)
		}
		next++
	}
	if next != 255 {
		t.Errorf("%d contexts", next)
	}
}

// Row 15: a bind_ack that promises more results than it has.
func TestMoreResultsThanBytesIsInvalid(t *testing.T) {
	pdu := golden(t, "bind_ack of three results")
	for n := range 256 {
		pdu[32] = byte(n) // n_results
		x, err := ParseBindAck(pdu)
		if n <= 3 && (err != nil || x.Results.Len() != n) {
			t.Errorf("%d results: %d, %v", n, x.Results.Len(), err)
		}
		if n > 3 && !errors.Is(err, &Error{Class: ClassInvalid, Name: "n_results"}) {
			t.Errorf("%d results: %v", n, err)
		}
	}
}

// Row 15: a secondary address that reaches out of the PDU.
func TestSecondaryAddressBeyondThePDUIsInvalid(t *testing.T) {
	for _, n := range []uint16{79, 80, 100, 0x7fff, 0xfffd, 0xffff} {
		pdu := golden(t, "bind_ack of three results")
		LittleEndian.PutUint16(pdu[24:], n)
		if _, err := ParseBindAck(pdu); !errors.Is(err, &Error{Class: ClassInvalid, Name: "sec_addr_len"}) {
			t.Errorf("%d: %v", n, err)
		}
	}
}

// Row 17: elements without content still advance.
func TestEmptyContextElementsAdvance(t *testing.T) {
	elems := make([]ContextElement, 200)
	pdu, err := AppendBind(nil, Bind{Header: Header{Type: PTypeBind, Drep: DrepLittleEndian}, Contexts: NewContextList(elems...)})
	if err != nil {
		t.Fatal(err)
	}
	x, err := ParseBind(pdu)
	if err != nil || x.Contexts.Len() != 200 {
		t.Fatal(x.Contexts.Len(), err)
	}
	n := 0
	for _, e := range x.Contexts.All() {
		n += 1 + e.Transfers.Len()
	}
	if n != 200 {
		t.Errorf("walked %d elements", n)
	}
}

// Row 17: counts that reach out of the PDU.
func TestContextsBeyondThePDUAreInvalid(t *testing.T) {
	for at, value := range map[int]byte{24: 4, 74: 255, 118: 2} {
		pdu := golden(t, "bind of three contexts")
		pdu[at] = value
		if _, err := ParseBind(pdu); !errors.Is(err, &Error{Class: ClassInvalid, Name: "p_cont_elem"}) {
			t.Errorf("byte %d = %d: %v", at, value, err)
		}
	}
}

// Rows 17 and 2: contexts must not be read out of the token.
func TestContextsDoNotReachIntoTheTrailer(t *testing.T) {
	pdu := golden(t, "big-endian bind with an NTLM negotiate")
	pdu[24] = 3 // the third would be trailer and token
	if _, err := ParseBind(pdu); !errors.Is(err, &Error{Class: ClassInvalid, Name: "p_cont_elem"}) {
		t.Error(err)
	}
}

// Row 19: CVE-2024-27304 (pgx). See also
// TestAppendingFailsRatherThanWriteALengthThatDoesNotFit.
func TestNoLengthIsEverTruncated(t *testing.T) {
	stub := make([]byte, 1<<17)
	for n := MaxPDU - 30; n < len(stub); n += 997 {
		pdu, err := AppendResponse(nil, Response{Stub: stub[:n]})
		if err == nil && len(pdu) != 24+n || err != nil && len(pdu) != 0 || err == nil && len(pdu) > MaxPDU {
			t.Fatalf("stub of %d: %d bytes, %v", n, len(pdu), err)
		}
	}
}

// Row 20: lengths at the edge of their types. Run with GOARCH=386 too.
func TestLargestLengthsDoNotWrap(t *testing.T) {
	for _, tc := range []struct{ frag, auth uint16 }{
		{0xffff, 0xffff}, {0xffff, 0xfff8}, {0xffff, 0xffdf}, {16, 0xffff}, {0x8000, 0x8000}, {24, 0xfff0},
	} {
		for p := range PType(numPTypes) {
			b := AppendHeader(nil, Header{Type: p, Drep: DrepBigEndian, FragLength: tc.frag, AuthLength: tc.auth})
			b = append(b, make([]byte, MaxPDU-HeaderSize)...)
			_, err := ParseHeader(b)
			if err == nil && int(tc.frag) < int(tc.auth)+VerifierSize+HeaderSize {
				t.Errorf("%v %+v taken", p, tc)
			}
			if p.Known() && p != PTypeRTS {
				codecOf(t, p).checkBytes(t, b[:tc.frag])
			}
		}
	}
}

// Row 23: OpenChange 422. The first bytes come one by one.
func TestFirstReadsOfOneToFifteenBytesAreShort(t *testing.T) {
	for _, g := range goldens {
		pdu := unhex(t, g.hex)
		for n := range HeaderSize {
			f := &Framer{Dir: g.dir, AllowRTS: true}
			if got, _, err := f.Next(pdu[:n]); got != nil || err != nil || f.Need(pdu[:n]) != HeaderSize-n {
				t.Fatalf("%s, %d bytes: %x, %v", g.name, n, got, err)
			}
			if _, err := ParseHeader(pdu[:n]); ClassOf(err) != ClassShort {
				t.Fatalf("%s, %d bytes: %v", g.name, n, err)
			}
		}
	}
}

// Errors are logged, so they hold no input.
func TestErrorsHoldNoBytesOfTheInput(t *testing.T) {
	secret := []byte("S3cret-Passw0rd!")
	pdu := golden(t, "NspiBind request")
	copy(pdu[24:], secret)
	_, err := ParseRequest(pdu[:80])
	if err == nil || bytes.Contains([]byte(fmt.Sprintf("%v %+v", err, err)), secret[:6]) {
		t.Errorf("%v", err)
	}
}
