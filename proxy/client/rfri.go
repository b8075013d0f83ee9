package client

import (
	"errors"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/rfri"
)

// rfriSyntax returns the transfer syntax of context id in the words of package
// rfri.
func (c *Conn) rfriSyntax(id uint16) rfri.Syntax {
	if c.Transfer(id) == rpcparse.TransferNDR64 {
		return rfri.NDR64
	}
	return rfri.NDR
}

// rfriContext returns the context of the referral interface, the lowest of them.
func (c *Conn) rfriContext() (id uint16, err error) {
	found := false
	for n, e := range c.contexts {
		if e.Abstract == rfri.Interface && (!found || n < id) {
			id, found = n, true
		}
	}
	if !found {
		return 0, errors.New("client: no context of the referral interface")
	}
	return id, nil
}

// RfrGetNewDSA asks which NSPI server is for a user. No server is an empty
// name; a return value other than 0 is a [CodeError].
func (c *Conn) RfrGetNewDSA(userDN string) (string, error) {
	id, err := c.SendRfrGetNewDSA(userDN)
	if err != nil {
		return "", err
	}
	return c.ReceiveRfr(rfri.OpnumGetNewDSA, id)
}

// SendRfrGetNewDSA sends an RfrGetNewDSA and returns its call id.
func (c *Conn) SendRfrGetNewDSA(userDN string) (uint32, error) {
	context, err := c.rfriContext()
	if err != nil {
		return 0, err
	}
	stub, err := rfri.AppendNewDSARequest(nil, rfri.NewDSARequest{UserDN: userDN, Server: rfri.NewName("")}, c.rfriSyntax(context), c.order(context))
	if err != nil {
		return 0, err
	}
	return c.Send(Request{Opnum: rfri.OpnumGetNewDSA, Stub: stub, ContextID: &context})
}

// RfrGetFQDN asks for the DNS name of a mailbox server (RfrGetFQDNFromServerDN),
// with the results of RfrGetNewDSA.
func (c *Conn) RfrGetFQDN(serverDN string) (string, error) {
	context, err := c.rfriContext()
	if err != nil {
		return "", err
	}
	stub, err := rfri.AppendFQDNRequest(nil, rfri.FQDNRequest{ServerDN: serverDN}, c.rfriSyntax(context), c.order(context))
	if err != nil {
		return "", err
	}
	id, err := c.Send(Request{Opnum: rfri.OpnumGetFQDNFromServerDN, Stub: stub, ContextID: &context})
	if err != nil {
		return "", err
	}
	return c.ReceiveRfr(rfri.OpnumGetFQDNFromServerDN, id)
}

// ReceiveRfr waits for the answer to a call of the referral interface.
func (c *Conn) ReceiveRfr(opnum uint16, callID uint32) (server string, err error) {
	context, err := c.rfriContext()
	if err != nil {
		return "", err
	}
	a, err := c.Await(callID)
	if err != nil {
		return "", err
	}
	r, err := rfri.ParseAnswer(opnum, a.Stub, c.rfriSyntax(context), a.Order)
	if err != nil {
		return "", err
	}
	if r.Code != 0 {
		return "", &CodeError{Code: nspi.Code(r.Code)}
	}
	return r.Server.Text, nil
}
