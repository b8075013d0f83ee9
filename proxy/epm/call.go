package epm

import (
	"fmt"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// call sends one request and puts the stub of its response together.
func (c *Client) call(opnum uint16, stub []byte) (answer []byte, order rpcparse.Order, err error) {
	if err := c.stream.empty(); err != nil {
		return nil, order, err
	}
	h, err := c.header(rpcparse.PTypeRequest)
	if err != nil {
		return nil, order, err
	}
	pdu, err := rpcparse.AppendRequest(nil, rpcparse.Request{
		Header: h, AllocHint: uint32(len(stub)), ContextID: contextID, Opnum: opnum, Stub: stub,
	})
	if err != nil {
		return nil, order, err
	}
	if err := c.stream.write(pdu); err != nil {
		return nil, order, err
	}
	return c.assemble()
}

// assemble reads the fragments of one response.
func (c *Client) assemble() (stub []byte, order rpcparse.Order, err error) {
	for n := range maxFragments {
		r, err := c.fragment()
		if err != nil {
			return nil, order, err
		}
		if r.First() != (n == 0) {
			return nil, order, protocolf("fragment %d has flags %v", n+1, r.Flags)
		}
		if n == 0 {
			order = r.Order()
		} else if r.Order() != order {
			return nil, order, protocolf("fragments in two byte orders")
		}
		if len(stub)+len(r.Stub) > maxAnswer {
			return nil, order, limitf("an answer of more than %d bytes", maxAnswer)
		}
		stub = append(stub, r.Stub...)
		if r.Last() {
			return stub, order, nil
		}
	}
	return nil, order, limitf("an answer in more than %d fragments", maxFragments)
}

// fragment reads one response.
func (c *Client) fragment() (rpcparse.Response, error) {
	pdu, h, err := c.answer()
	if err != nil {
		return rpcparse.Response{}, err
	}
	if h.Type != rpcparse.PTypeResponse {
		return rpcparse.Response{}, protocolf("request answered by %v", h.Type)
	}
	r, err := rpcparse.ParseResponse(pdu)
	if err != nil {
		return rpcparse.Response{}, fmt.Errorf("epm: %w", err)
	}
	if r.HasVerifier {
		return rpcparse.Response{}, protocolf("a signature on a connection without security")
	}
	return r, nil
}
