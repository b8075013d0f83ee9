package client

import (
	"fmt"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/ntlm"
)

// Request is a call to be sent. The zero values of its options are what the
// connection says.
type Request struct {
	Opnum uint16
	Stub  []byte

	ContextID *uint16   // nil: Conn.ContextID
	Security  *Security // nil: Conn.Security; &Security{}: none
	Object    *rpcparse.UUID
	CallID    uint32 // 0: a new one
	Fragment  int    // most bytes of stub in one fragment; 0: what fits
}

// authPadding is what bodies are padded to before a trailer.
const authPadding = 16

// Answer is what a call was answered with.
type Answer struct {
	Stub      []byte
	Order     rpcparse.Order // of the PDUs it came in
	Fragments int
}

// answer is what has come of it so far.
type answer struct {
	Answer
	err  error
	done bool
}

// Call sends a request and waits for its answer: the stub, or the error.
func (c *Conn) Call(opnum uint16, stub []byte) ([]byte, error) {
	return c.Do(Request{Opnum: opnum, Stub: stub})
}

// Do is Call with all options.
func (c *Conn) Do(r Request) ([]byte, error) {
	id, err := c.Send(r)
	if err != nil {
		return nil, err
	}
	return c.Receive(id)
}

// Send sends a request and returns its call id.
func (c *Conn) Send(r Request) (uint32, error) {
	pdus, id, err := c.Encode(r)
	if err != nil {
		return 0, err
	}
	for _, pdu := range pdus {
		if err := c.Write(pdu); err != nil {
			return 0, err
		}
	}
	return id, nil
}

// Encode returns the PDUs of a request, protected and ready to be written in
// this order, each of them once.
func (c *Conn) Encode(r Request) (pdus [][]byte, callID uint32, err error) {
	if r.CallID == 0 {
		r.CallID = c.NextCallID()
	}
	s := r.Security
	if s == nil {
		s = c.Security
	}
	contextID := c.ContextID
	if r.ContextID != nil {
		contextID = *r.ContextID
	}
	x := rpcparse.Request{Header: c.header(rpcparse.PTypeRequest, r.CallID), ContextID: contextID, Opnum: r.Opnum}
	x.Drep = rpcparse.DrepOf(c.order(contextID))
	if r.Object != nil {
		x.Object, x.HasObject = *r.Object, true
	}
	dummy := ntlm.DummyToken // its place is taken by a signature where there is one
	if s != nil && (s.protects() || s.DummyVerifiers) {
		x.Verifier, x.HasVerifier = s.verifier(dummy[:]), true
	}
	room := c.room(x, r.Fragment)
	for rest, first := r.Stub, true; ; first = false {
		x.Stub = rest[:min(len(rest), room)]
		x.AllocHint = uint32(len(rest))
		rest = rest[len(x.Stub):]
		x.Flags = fragmentFlags(first, len(rest) == 0)
		pdu, err := s.encode(x)
		if err != nil {
			return nil, 0, err
		}
		pdus = append(pdus, pdu)
		if len(rest) == 0 {
			return pdus, r.CallID, nil
		}
	}
}

// room returns how many bytes of stub fit a fragment, a multiple of eight.
func (c *Conn) room(x rpcparse.Request, limit int) int {
	x.Verifier.PadLength = 0
	n := (c.MaxFragment - x.Len()) &^ (authPadding - 1)
	if limit > 0 {
		n = min(n, max(8, limit&^7))
	}
	return n
}

func fragmentFlags(first, last bool) (f rpcparse.Flags) {
	if first {
		f |= rpcparse.FlagFirstFrag
	}
	if last {
		f |= rpcparse.FlagLastFrag
	}
	return f
}

// encode makes one fragment and protects it.
func (s *Security) encode(x rpcparse.Request) ([]byte, error) {
	if x.HasVerifier {
		x.Verifier.PadLength = rpcparse.PadTo(len(x.Stub), authPadding)
	}
	pdu, err := rpcparse.AppendRequest(nil, x)
	if err != nil || !x.HasVerifier || !s.protects() {
		return pdu, err
	}
	if s.session == nil {
		return nil, fmt.Errorf("client: no session at level %v", s.Level)
	}
	parsed, err := rpcparse.ParseRequest(pdu)
	if err != nil {
		return nil, err
	}
	return pdu, s.session.Send.Protect(pdu, parsed.StubOffset, parsed.Verifier.Offset, s.Level == rpcparse.LevelPrivacy)
}

// Receive waits for the answer of a call and returns its stub.
func (c *Conn) Receive(callID uint32) ([]byte, error) {
	a, err := c.Await(callID)
	return a.Stub, err
}

// Await waits for the answer of a call. Answers of other calls that come first
// are kept for them.
func (c *Conn) Await(callID uint32) (Answer, error) {
	for {
		if a := c.answers[callID]; a != nil && a.done {
			delete(c.answers, callID)
			return a.Answer, a.err
		}
		pdu, _, err := c.ReadPDU()
		if err != nil {
			return Answer{}, err
		}
		if err := c.take(pdu); err != nil {
			return Answer{}, err
		}
	}
}

// take adds a response or fault to the answer of its call.
func (c *Conn) take(pdu []byte) error {
	h, err := rpcparse.ParseHeader(pdu)
	if err != nil {
		return err
	}
	a := c.answers[h.CallID]
	if a == nil {
		a = &answer{}
		c.answers[h.CallID] = a
	}
	if a.done {
		return fmt.Errorf("client: call %d answered twice", h.CallID)
	}
	switch h.Type {
	case rpcparse.PTypeResponse:
		err = c.takeResponse(a, pdu)
	case rpcparse.PTypeFault:
		var f rpcparse.Fault
		f, err = rpcparse.ParseFault(pdu)
		a.err, a.done = &Fault{Status: f.Status, PDU: f}, true
	default:
		return fmt.Errorf("client: unexpected %v", h.Type)
	}
	if a.done {
		c.Answered = append(c.Answered, h.CallID)
	}
	return err
}

func (c *Conn) takeResponse(a *answer, pdu []byte) error {
	r, err := rpcparse.ParseResponse(pdu)
	if err != nil {
		return err
	}
	if r.HasVerifier {
		s := c.security[r.Verifier.ContextID]
		if s == nil {
			return fmt.Errorf("client: response under unknown security context %d", r.Verifier.ContextID)
		}
		if s.protects() {
			if s.session == nil {
				return fmt.Errorf("client: no session at level %v", s.Level)
			}
			err := s.session.Receive.Unprotect(pdu, r.StubOffset, r.Verifier.Offset, s.Level == rpcparse.LevelPrivacy)
			if err != nil {
				return err
			}
		}
	}
	if r.First() != (a.Fragments == 0) {
		return fmt.Errorf("client: response fragment of call %d out of order", r.CallID)
	}
	a.Stub = append(a.Stub, r.Stub...)
	a.Order, a.done = r.Order(), r.Last()
	a.Fragments++
	return nil
}
