package client

import (
	"bytes"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// Answer is what a call was answered with.
type Answer struct {
	Stub      []byte
	Order     rpcparse.Order // of the PDUs it came in
	Fragments int
}

// call is a call that was sent or is waited for, and what has come of it.
type call struct {
	Answer
	security *Security // of the request; nil: none, or the request was not made here
	size     int       // bytes of PDUs
	err      error
	done     bool
}

// maxAnswered is how many entries Conn.Answered has: more than any test looks at.
const maxAnswered = 64

// callsInFlight are the calls of one connection.
type callsInFlight struct {
	lastID   uint32
	byID     map[uint32]*call // sent or waited for, and not received
	buffered int              // bytes of PDUs that came for them
}

// Receive waits for the answer of a call and returns its stub.
func (c *Conn) Receive(callID uint32) ([]byte, error) {
	a, err := c.Await(callID)
	return a.Stub, err
}

// Await waits for the answer of a call. Answers of other calls that come first
// are kept for them.
func (c *Conn) Await(callID uint32) (Answer, error) {
	x := c.inFlight.byID[callID]
	if x == nil {
		x = &call{} // a test has written the request
		c.inFlight.byID[callID] = x
	}
	for !x.done {
		pdu, h, err := c.receive()
		if err == nil {
			err = c.take(pdu, h)
		}
		if err != nil {
			return Answer{}, err
		}
	}
	delete(c.inFlight.byID, callID)
	c.inFlight.buffered -= x.size
	return x.Answer, x.err
}

// receive is NextPDU for what is to be understood: in ASCII and with IEEE floats.
func (c *Conn) receive() ([]byte, rpcparse.Header, error) {
	pdu, h, err := c.NextPDU()
	if err == nil && h.Drep != rpcparse.DrepLittleEndian && h.Drep != rpcparse.DrepBigEndian {
		err = protocolf("data representation %x", h.Drep)
	}
	return pdu, h, err
}

// take adds a response or fault to the answer of its call.
func (c *Conn) take(pdu []byte, h rpcparse.Header) error {
	if h.Type != rpcparse.PTypeResponse && h.Type != rpcparse.PTypeFault {
		return protocolf("unexpected %v", h.Type)
	}
	x := c.inFlight.byID[h.CallID]
	switch {
	case x == nil:
		return protocolf("%v for call %d, which was not made", h.Type, h.CallID)
	case x.done:
		return protocolf("call %d answered twice", h.CallID)
	}
	x.size += len(pdu)
	c.inFlight.buffered += len(pdu)
	if limit := c.maxAnswer(); c.inFlight.buffered > limit {
		return limitf("answers of more than %d bytes", limit)
	}
	var err error
	if h.Type == rpcparse.PTypeFault {
		err = x.fault(bytes.Clone(pdu))
	} else {
		err = c.response(x, pdu)
	}
	if x.done {
		if len(c.Answered) == maxAnswered {
			c.Answered = c.Answered[1:]
		}
		c.Answered = append(c.Answered, h.CallID)
	}
	return err
}

func (c *Conn) maxAnswer() int {
	if c.MaxAnswer == 0 {
		return DefaultMaxAnswer
	}
	return c.MaxAnswer
}

// fault ends a call with a fault. Faults carry no signature (MS-RPCE 3.3.1.5.2).
func (x *call) fault(pdu []byte) error {
	f, err := rpcparse.ParseFault(pdu)
	if err != nil {
		return err
	}
	if f.Status == 0 {
		return protocolf("a fault of status 0")
	}
	x.err, x.done = &Fault{Status: f.Status, PDU: f}, true
	return nil
}

// response verifies a fragment and adds it.
func (c *Conn) response(x *call, pdu []byte) error {
	r, err := rpcparse.ParseResponse(pdu)
	if err != nil {
		return err
	}
	if err := c.verify(x.security, pdu, r); err != nil {
		return err
	}
	if r.First() != (x.Fragments == 0) {
		return protocolf("response fragment of call %d out of order", r.CallID)
	}
	if x.Fragments > 0 && r.Order() != x.Order {
		return protocolf("fragments in two byte orders")
	}
	x.Stub = append(x.Stub, r.Stub...)
	x.Order, x.done = r.Order(), r.Last()
	x.Fragments++
	return nil
}

// verify checks the protection of a response, and decrypts it in place: it must
// be that of the request, if the request had any.
func (c *Conn) verify(asked *Security, pdu []byte, r rpcparse.Response) error {
	var s *Security
	if r.HasVerifier {
		if s = c.security[r.Verifier.ContextID]; s == nil {
			return protocolf("response under unknown security context %d", r.Verifier.ContextID)
		}
	}
	if asked.protects() && s != asked {
		return protocolf("response to call %d without the protection of its request", r.CallID)
	}
	if !s.protects() {
		return nil
	}
	if r.Verifier.Type != s.Type || r.Verifier.Level != s.Level {
		return protocolf("response protected by type %v at level %v", r.Verifier.Type, r.Verifier.Level)
	}
	return s.receive.Unprotect(pdu, r.StubOffset, r.Verifier.Offset, s.Level == rpcparse.LevelPrivacy)
}
