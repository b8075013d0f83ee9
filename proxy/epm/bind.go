package epm

import (
	"fmt"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/tower"
)

// contextID is the presentation context of all calls.
const contextID = 0

// bind offers the interface of the endpoint mapper in NDR, without security.
func (c *Client) bind() error {
	h, err := c.header(rpcparse.PTypeBind)
	if err != nil {
		return err
	}
	pdu, err := rpcparse.AppendBind(nil, rpcparse.Bind{
		Header:      h,
		MaxXmitFrag: maxPDU,
		MaxRecvFrag: maxPDU,
		Contexts: rpcparse.NewContextList(rpcparse.ContextElement{
			ID: contextID, Abstract: tower.EPMInterface, Transfers: rpcparse.NewSyntaxList(rpcparse.SyntaxNDR),
		}),
	})
	if err != nil {
		return err
	}
	if err := c.stream.write(pdu); err != nil {
		return err
	}
	pdu, answer, err := c.answer()
	if err != nil {
		return err
	}
	switch answer.Type {
	case rpcparse.PTypeBindAck:
		return c.accepted(pdu)
	case rpcparse.PTypeBindNak:
		nak, err := rpcparse.ParseBindNak(pdu)
		if err != nil {
			return fmt.Errorf("epm: %w", err)
		}
		return &Nak{Reason: nak.Reason}
	}
	return protocolf("bind answered by %v", answer.Type)
}

// accepted reads a bind_ack.
func (c *Client) accepted(pdu []byte) error {
	ack, err := rpcparse.ParseBindAck(pdu)
	if err != nil {
		return fmt.Errorf("epm: %w", err)
	}
	if n := ack.Results.Len(); n != 1 {
		return protocolf("%d results for one context", n)
	}
	r := ack.Results.At(0)
	if r.Result != rpcparse.ResultAcceptance {
		return &Rejected{Result: r.Result, Reason: r.Reason}
	}
	if r.Transfer != rpcparse.SyntaxNDR {
		return protocolf("accepted in %v, which was not offered", r.Transfer)
	}
	return nil
}

// header starts a whole PDU with a call id of its own.
func (c *Client) header(t rpcparse.PType) (rpcparse.Header, error) {
	if c.callID == maxCallID {
		return rpcparse.Header{}, limitf("%d calls on one connection", maxCallID)
	}
	c.callID++
	return rpcparse.Header{
		Type: t, Flags: rpcparse.FlagsWhole, Drep: rpcparse.DrepLittleEndian, CallID: c.callID,
	}, nil
}

// answer returns the next PDU. It must be for the call that is outstanding; a
// fault is an error.
func (c *Client) answer() ([]byte, rpcparse.Header, error) {
	pdu, h, err := c.stream.next()
	if err != nil {
		return nil, h, err
	}
	if h.CallID != c.callID {
		return nil, h, protocolf("%v for call %d, the call is %d", h.Type, h.CallID, c.callID)
	}
	if h.Type == rpcparse.PTypeFault {
		f, err := rpcparse.ParseFault(pdu)
		if err != nil {
			return nil, h, fmt.Errorf("epm: %w", err)
		}
		return nil, h, &Fault{Status: f.Status}
	}
	return pdu, h, nil
}
