package client

import (
	"github.com/nspiproxy/nspiproxy/rpcparse"
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
		if c.inFlight.lastID >= maxCallID {
			return nil, 0, limitf("%d calls on one connection", maxCallID)
		}
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
	if size := s.tokenSize(); size > 0 {
		x.Verifier, x.HasVerifier = s.verifier(make([]byte, size)), true
	}
	room := c.room(x, r.Fragment)
	for rest, first := r.Stub, true; ; first = false {
		x.Stub = rest[:min(len(rest), room)]
		x.AllocHint = uint32(len(rest))
		rest = rest[len(x.Stub):]
		x.Flags = fragmentFlags(first, len(rest) == 0)
		pdu, err := s.protect(x)
		if err != nil {
			return nil, 0, err
		}
		pdus = append(pdus, pdu)
		if len(rest) == 0 {
			c.inFlight.byID[r.CallID] = &call{security: s}
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
