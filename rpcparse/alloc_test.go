package rpcparse

import (
	"bytes"
	"fmt"
	"testing"
)

// sink keeps the compiler from throwing results away.
var sink int

// TestPathOfAPDUDoesNotAllocate pins what the relay relies on: framing,
// parsing and walking lists allocate nothing.
func TestPathOfAPDUDoesNotAllocate(t *testing.T) {
	for name, run := range map[string]func(*testing.T) func(){
		"framer": func(t *testing.T) func() {
			f, b := new(Framer), golden(t, "NspiBind request")
			return func() {
				for _, n := range []int{5, 16, 40, len(b)} {
					pdu, _, err := f.Next(b[:n])
					if err != nil {
						t.Fatal(err)
					}
					sink += len(pdu) + f.Need(b[:n])
				}
			}
		},
		"request":  parseOf(requestCodec, "request with an object UUID"),
		"response": parseOf(responseCodec, "sealed response"),
		"fault":    parseOf(faultCodec, "fault access denied"),
		"bind": func(t *testing.T) func() {
			b := golden(t, "bind of three contexts")
			return func() { sink += walkBind(t, b) }
		},
		"bind_ack": func(t *testing.T) func() {
			b := golden(t, "bind_ack of three results")
			return func() { sink += walkBindAck(t, b) }
		},
		"bind_nak": parseOf(bindNakCodec, "bind_nak"),
		"auth3":    parseOf(auth3Codec, "auth3"),
		"orphaned": parseOf(orphanedCodec, "orphaned"),
	} {
		t.Run(name, func(t *testing.T) {
			if n := testing.AllocsPerRun(100, run(t)); n != 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}

// TestForwardedPDUsAllocateNothing pins the way of a request and its response
// through a conversation, with all that is asked about them on the way. The
// events' memory is on the stack of the caller.
func TestForwardedPDUsAllocateNothing(t *testing.T) {
	signed := *ntlmVerifier(7, LevelIntegrity, make([]byte, 16))
	sealed := *ntlmVerifier(7, LevelPrivacy, make([]byte, 16))
	for name, v := range map[string]*Verifier{"no verifier": nil, "signed": &signed, "sealed": &sealed} {
		for _, opened := range []bool{false, v != nil} {
			t.Run(fmt.Sprintf("%s, opened %t", name, opened), func(t *testing.T) {
				s := bound(t)
				if v != nil {
					s = authenticated(t, v.Level)
				}
				request := s.request(fragment{callID: 2, opnum: 3, stub: make([]byte, 200), auth: v})
				answer := s.response(2, 0, make([]byte, 1024), v)
				copied := bytes.Clone(answer)
				forward(t, s.c, request, answer, copied, opened) // the first one may prove a user
				if n := testing.AllocsPerRun(100, func() { forward(t, s.c, request, answer, copied, opened) }); n != 0 {
					t.Errorf("%v allocations for a request and its response", n)
				}
			})
		}
	}
}

// forward follows a request and its response as a relay does. copied stands
// for a copy of the response that was decrypted.
func forward(t *testing.T, c *Conversation, request, answer, copied []byte, opened bool) {
	var scratch [2]Event
	var p PDU
	h, err := ParseHeader(request)
	if err != nil {
		t.Fatal(err)
	}
	p.Parse(h, request)
	p.Opened = opened
	if c.AwaitsHandshake(&p) || c.NeedsStub(&p) {
		t.Fatal("not a PDU that is forwarded at once")
	}
	if v := p.Verifier(); v != nil && c.Security(v) == nil {
		t.Fatal("no security context")
	}
	if _, err := c.ClientPDU(&p, scratch[:0]); err != nil {
		t.Fatal(err)
	}
	if u, ok := c.SessionUse(); !ok || u.Sealed == opened && p.Request.Verifier.Level == LevelPrivacy {
		t.Fatalf("session use %+v, %t", u, ok)
	}
	if h, err = ParseHeader(answer); err != nil {
		t.Fatal(err)
	}
	p.Parse(h, answer)
	p.Opened = opened
	if opened {
		p.Rebase(copied)
	}
	if c.NeedsStub(&p) {
		t.Fatal("not a PDU that is forwarded at once")
	}
	if _, err := c.ServerPDU(&p, scratch[:0]); err != nil {
		t.Fatal(err)
	}
}

// TestAppendingIntoRoomDoesNotAllocate pins what answering a bind costs.
func TestAppendingIntoRoomDoesNotAllocate(t *testing.T) {
	buf := make([]byte, 0, 1024)
	resp := Response{Header: Header{Flags: FlagsWhole, Drep: DrepLittleEndian}, Stub: make([]byte, 28),
		HasVerifier: true, Verifier: Verifier{PadLength: 4, Token: make([]byte, 16)}}
	bind := Bind{Header: Header{Type: PTypeBind}, Contexts: sampleContexts}
	n := testing.AllocsPerRun(100, func() {
		a, err := AppendResponse(buf, resp)
		if err != nil {
			t.Fatal(err)
		}
		b, err := AppendBind(buf, bind) // big-endian, so that the list is converted
		if err != nil {
			t.Fatal(err)
		}
		sink += len(a) + len(b)
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func parseOf[T view](c codec[T], name string) func(*testing.T) func() {
	return func(t *testing.T) func() {
		b := golden(t, name)
		return func() {
			x, err := c.parse(b)
			if err != nil {
				t.Fatal(err)
			}
			sink += x.Len()
		}
	}
}

func walkBind(t testing.TB, pdu []byte) (n int) {
	x, err := ParseBind(pdu)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range x.Contexts.All() {
		n += i + int(e.Abstract.Version)
		for _, s := range e.Transfers.All() {
			n += int(s.Version)
		}
	}
	return n
}

func walkBindAck(t testing.TB, pdu []byte) (n int) {
	x, err := ParseBindAck(pdu)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range x.Results.All() {
		n += i + int(r.Result)
	}
	return n
}
