package probe

import (
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// script is a connection whose peer says what it says, in pieces of a size.
type script struct {
	net.Conn
	left  []byte
	piece int
}

func (s *script) Read(b []byte) (int, error) {
	if len(s.left) == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), s.piece)], s.left)
	s.left = s.left[n:]
	return n, nil
}

func (s *script) Write(b []byte) (int, error)     { return len(b), nil }
func (s *script) SetReadDeadline(time.Time) error { return nil }

func header(t rpcparse.PType, call uint32) rpcparse.Header {
	return rpcparse.Header{Type: t, Flags: rpcparse.FlagsWhole, Drep: rpcparse.DrepLittleEndian, CallID: call}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

// questions is what a client asks, in order, with the lengths of the stubs that
// it takes.
var questions = []struct {
	pdu     []byte
	lengths []int
}{
	{must(rpcparse.AppendBind(nil, rpcparse.Bind{Header: header(rpcparse.PTypeBind, 1), Contexts: rpcparse.NewContextList(
		rpcparse.ContextElement{Abstract: nspi.Interface, Transfers: rpcparse.NewSyntaxList(rpcparse.SyntaxNDR)})})), nil},
	{must(rpcparse.AppendRequest(nil, rpcparse.Request{Header: header(rpcparse.PTypeRequest, 2)})), []int{28, 44}},
	{must(rpcparse.AppendRequest(nil, rpcparse.Request{Header: header(rpcparse.PTypeRequest, 3)})), nil},
}

// good is what a server may answer to questions.
func good() []byte {
	b := must(rpcparse.AppendBindAck(nil, rpcparse.BindAck{Header: header(rpcparse.PTypeBindAck, 1), MaxXmitFrag: 5840, MaxRecvFrag: 5840,
		AssocGroupID: 7, Results: rpcparse.NewResultList(rpcparse.ContextResult{Transfer: rpcparse.SyntaxNDR})}))
	b = must(rpcparse.AppendResponse(b, rpcparse.Response{Header: header(rpcparse.PTypeResponse, 2), Stub: make([]byte, 44)}))
	return must(rpcparse.AppendFault(b, rpcparse.Fault{Header: header(rpcparse.PTypeFault, 3), Status: 5}))
}

// read takes one PDU from the guard, as go-msrpc does.
func read(g *guard) ([]byte, error) {
	head := make([]byte, rpcparse.HeaderSize)
	if _, err := io.ReadFull(g, head); err != nil {
		return nil, err
	}
	h, err := rpcparse.ParseHeader(head)
	if err != nil {
		return head, err
	}
	rest := make([]byte, int(h.FragLength)-len(head))
	_, err = io.ReadFull(g, rest)
	return append(head, rest...), err
}

// converse asks all questions and returns what the guard let in.
func converse(t testing.TB, g *guard) [][]byte {
	var in [][]byte
	for _, q := range questions {
		g.expect(q.lengths)
		if _, err := g.Write(q.pdu); err != nil {
			t.Fatal(err)
		}
		pdu, err := read(g)
		if err != nil {
			if pdu != nil {
				t.Fatalf("half a PDU: %x: %v", pdu, err)
			}
			return in
		}
		in = append(in, pdu)
	}
	return in
}

func TestGuardLetsGoodAnswersThroughUnchanged(t *testing.T) {
	for piece := 1; piece < 200; piece++ {
		g := newGuard(&script{left: good(), piece: piece}, false)
		if in := converse(t, g); !bytes.Equal(bytes.Join(in, nil), good()) {
			t.Fatalf("in pieces of %d: %x", piece, in)
		}
		var fault *faultError
		if !errors.As(g.failure(), &fault) || fault.status != 5 || g.association() != 7 || g.stubLength() != 44 || g.ended() {
			t.Fatalf("in pieces of %d: %v", piece, g.failure())
		}
	}
}

func TestGuardWantsProtectionWhereTheLevelDoes(t *testing.T) {
	g := newGuard(&script{left: good(), piece: 1 << 16}, true)
	if in := converse(t, g); len(in) != 1 {
		t.Errorf("%d PDUs", len(in))
	}
	if err := g.failure(); err == nil || err.Error() != "an unprotected response" {
		t.Error(err)
	}
}

func TestGuardEndsWithItsFirstRefusal(t *testing.T) {
	g := newGuard(&script{left: append([]byte("HTTP/1.1"), good()...), piece: 1 << 16}, false)
	if in := converse(t, g); in != nil {
		t.Errorf("%x", in)
	}
	first := g.failure()
	if _, err := g.Read(make([]byte, 1)); err == nil || err != first {
		t.Errorf("%v, then %v", first, err)
	}
	if err := g.Close(); err != nil || g.failure() != first {
		t.Errorf("%v after Close: %v", err, g.failure())
	}
	if _, err := g.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

func TestGuardSendsWholePDUsOnly(t *testing.T) {
	for _, b := range [][]byte{nil, {5}, questions[0].pdu[:20], append(bytes.Clone(questions[0].pdu), 0)} {
		g := newGuard(&script{piece: 1}, false)
		if _, err := g.Write(b); err == nil || g.failure() == nil {
			t.Errorf("%x: sent", b)
		}
	}
}

func TestGuardHoldsLittle(t *testing.T) {
	flood := make([]byte, 1<<20)
	copy(flood, must(rpcparse.AppendResponse(nil, rpcparse.Response{Header: header(rpcparse.PTypeResponse, 1), Stub: make([]byte, 5000)})))
	g := newGuard(&script{left: flood, piece: 1 << 16}, false)
	converse(t, g)
	if g.bytes > maxBytes || len(g.unread) > rpcparse.MaxPDU+guardRead {
		t.Errorf("%d bytes read, %d kept", g.bytes, len(g.unread))
	}
}

// FuzzGuard: whatever a server sends, what comes out are whole PDUs, one for each
// question, that may answer it.
func FuzzGuard(f *testing.F) {
	f.Add(good(), uint8(0), false)
	f.Add(good(), uint8(7), true)
	f.Add(must(rpcparse.AppendBindNak(nil, rpcparse.BindNak{Header: header(rpcparse.PTypeBindNak, 1), Reason: 2})), uint8(1), false)
	f.Fuzz(func(t *testing.T, stream []byte, piece uint8, protected bool) {
		g := newGuard(&script{left: stream, piece: int(piece) + 1}, protected)
		in := converse(t, g)
		for i, pdu := range in {
			h, err := rpcparse.ParseHeader(pdu)
			q, _ := rpcparse.ParseHeader(questions[i].pdu)
			if err != nil || h.CallID != q.CallID || !answers(h.Type, q.Type) || !h.First() || !h.Last() || h.Drep != rpcparse.DrepLittleEndian {
				t.Fatalf("%x in answer to %s: %v", pdu, q.Type, err)
			}
			if r, err := rpcparse.ParseResponse(pdu); h.Type == rpcparse.PTypeResponse {
				if err != nil || protected && len(r.Verifier.Token) < minSignature {
					t.Fatalf("%x: %v", pdu, err)
				}
				if l := questions[i].lengths; l != nil && !slices.Contains(l, len(r.Stub)) {
					t.Fatalf("a stub of %d bytes", len(r.Stub))
				}
			}
		}
		if !bytes.HasPrefix(stream, bytes.Join(in, nil)) {
			t.Fatal("changed")
		}
		if len(in) < len(questions) && g.failure() == nil {
			t.Fatal("ended without a reason")
		}
	})
}

func TestTextFromTheNetworkIsMadeHarmless(t *testing.T) {
	for in, want := range map[string]string{
		"":                                 "",
		"plain ümlaut":                     "plain ümlaut",
		"a\x1b[31m\r\nb\x00\x7f":           `a\x1b[31m\r\nb\x00\x7f`,
		"\u202egnp.exe":                    `\u202egnp.exe`,
		"\xff\xfe":                         `\xff\xfe`,
		string(make([]byte, maxText+1))[:]: "",
	} {
		got := clean(in)
		if want != "" && got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
		if len(got) > 4*maxText+len("…") {
			t.Errorf("%d bytes", len(got))
		}
	}
}
