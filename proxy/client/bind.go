package client

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// Options says how to bind. The zero value binds to NSPI in NDR, without
// security, in an association of its own.
type Options struct {
	Contexts []rpcparse.ContextElement // default: NSPI, context 0, in Transfer
	Transfer rpcparse.SyntaxID         // default: NDR
	Order    rpcparse.Order
	Group    uint32    // association to join
	Security *Security // nil: none

	MaxFragment    uint16 // to offer; default 5840
	NoMultiplexing bool
	Local          netip.Addr // address to connect from

	// Connect opens the TCP connection, such as in another network namespace. nil:
	// ordinary means.
	Connect func(addr string, local netip.Addr) (*net.TCPConn, error)
}

func (o Options) connect(addr string) (*Conn, error) {
	if o.Connect == nil {
		return Connect(addr, o.Local)
	}
	tcp, err := o.Connect(addr, o.Local)
	if err != nil {
		return nil, err
	}
	return New(tcp), nil
}

// Context offers one interface in the given transfer syntaxes, default NDR.
func Context(id uint16, iface rpcparse.SyntaxID, transfers ...rpcparse.SyntaxID) rpcparse.ContextElement {
	if len(transfers) == 0 {
		transfers = []rpcparse.SyntaxID{rpcparse.SyntaxNDR}
	}
	return rpcparse.ContextElement{ID: id, Abstract: iface, Transfers: rpcparse.NewSyntaxList(transfers...)}
}

// Dial connects and binds. An error leaves no connection behind.
func Dial(addr string, o Options) (*Conn, error) {
	c, err := o.connect(addr)
	if err != nil {
		return nil, err
	}
	if err := c.Bind(o); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Bind binds a connection and completes the handshake of its security context.
// Calls then use the first context that was accepted.
func (c *Conn) Bind(o Options) error {
	c.Order = o.Order
	if o.Transfer == (rpcparse.SyntaxID{}) {
		o.Transfer = rpcparse.SyntaxNDR
	}
	if o.Contexts == nil {
		o.Contexts = []rpcparse.ContextElement{Context(0, nspi.Interface, o.Transfer)}
	}
	if o.MaxFragment == 0 {
		o.MaxFragment = rpcparse.DefaultFragment
	}
	b := rpcparse.Bind{
		Header:       c.header(rpcparse.PTypeBind, c.NextCallID()),
		MaxXmitFrag:  o.MaxFragment,
		MaxRecvFrag:  o.MaxFragment,
		AssocGroupID: o.Group,
		Contexts:     rpcparse.NewContextList(o.Contexts...),
	}
	if !o.NoMultiplexing {
		b.Flags |= rpcparse.FlagConcMpx
	}
	return c.negotiate(b, o.Contexts, o.Security)
}

// AlterContext adds presentation contexts and, if s is not nil, a security
// context. Calls then use the first context that was accepted, and s.
func (c *Conn) AlterContext(s *Security, contexts ...rpcparse.ContextElement) error {
	b := rpcparse.Bind{
		Header:       c.header(rpcparse.PTypeAlterContext, c.NextCallID()),
		MaxXmitFrag:  uint16(c.MaxFragment),
		MaxRecvFrag:  uint16(c.MaxFragment),
		AssocGroupID: c.Group,
		Contexts:     rpcparse.NewContextList(contexts...),
	}
	return c.negotiate(b, contexts, s)
}

// negotiate sends b with the first leg of s and goes through the others.
func (c *Conn) negotiate(b rpcparse.Bind, contexts []rpcparse.ContextElement, s *Security) error {
	var token []byte
	if s != nil {
		var err error
		if token, err = s.first(); err != nil {
			return err
		}
	}
	answer, err := c.exchange(b, s, token)
	if err != nil {
		return err
	}
	if b.Type == rpcparse.PTypeBind {
		c.Group, c.MaxFragment = c.LastAck.AssocGroupID, int(c.LastAck.MaxRecvFrag)
		c.Multiplexed = c.LastAck.Flags.Has(rpcparse.FlagConcMpx)
		c.framer.SetMaxFragment(int(c.LastAck.MaxXmitFrag))
	}
	accepted, err := c.accept(contexts)
	if err != nil {
		return err
	}
	if s != nil {
		if err := c.legs(b, s, answer); err != nil {
			return err
		}
		c.security[s.ID], c.Security = s, s
	}
	c.ContextID = accepted
	return nil
}

// legs continues a handshake until both sides are content.
func (c *Conn) legs(b rpcparse.Bind, s *Security, answer []byte) error {
	b.Type, b.Flags, b.AssocGroupID = rpcparse.PTypeAlterContext, rpcparse.FlagsWhole, c.Group
	for {
		token, how, err := s.next(answer)
		if err != nil || how == legNone {
			return err
		}
		if how == legAuth3 {
			h := c.header(rpcparse.PTypeAuth3, b.CallID)
			pdu, err := rpcparse.AppendAuth3(nil, rpcparse.Auth3{Header: h, Verifier: s.verifier(token), HasVerifier: true})
			if err != nil {
				return err
			}
			return c.Write(pdu)
		}
		if answer, err = c.exchange(b, s, token); err != nil {
			return err
		}
	}
}

// exchange sends a bind or alter_context and returns the token that answers.
func (c *Conn) exchange(b rpcparse.Bind, s *Security, token []byte) ([]byte, error) {
	if len(token) > 0 {
		b.Verifier, b.HasVerifier = s.verifier(token), true
	}
	pdu, err := rpcparse.AppendBind(nil, b)
	if err != nil {
		return nil, err
	}
	if err := c.Write(pdu); err != nil {
		return nil, err
	}
	pdu, h, err := c.ReadPDU()
	if err != nil {
		return nil, err
	}
	switch h.Type {
	case rpcparse.PTypeBindAck, rpcparse.PTypeAlterContextResp:
		c.LastAck, err = rpcparse.ParseBindAck(pdu)
		return c.LastAck.Verifier.Token, err
	case rpcparse.PTypeBindNak:
		n, err := rpcparse.ParseBindNak(pdu)
		if err != nil {
			return nil, err
		}
		return nil, &Nak{Reason: n.Reason}
	case rpcparse.PTypeFault:
		f, err := rpcparse.ParseFault(pdu)
		if err != nil {
			return nil, err
		}
		return nil, &Fault{Status: f.Status, PDU: f}
	}
	return nil, fmt.Errorf("client: %v answered by %v", b.Type, h.Type)
}

// accept keeps the contexts that LastAck accepts and returns the first. If
// none is, the error is that of the first that is no offer of features.
func (c *Conn) accept(contexts []rpcparse.ContextElement) (first uint16, err error) {
	found := false
	for i, e := range contexts {
		if i >= c.LastAck.Results.Len() {
			return 0, fmt.Errorf("client: %d results for %d contexts", c.LastAck.Results.Len(), len(contexts))
		}
		r := c.LastAck.Results.At(i)
		switch r.Result {
		case rpcparse.ResultAcceptance:
			e.Transfers = rpcparse.NewSyntaxList(r.Transfer)
			c.contexts[e.ID] = e
			if !found {
				first, found = e.ID, true
			}
		case rpcparse.ResultUserRejection, rpcparse.ResultProviderRejection:
			if err == nil {
				err = &Rejected{ContextID: e.ID, Result: r}
			}
		}
	}
	if found || err == nil {
		return first, nil
	}
	return 0, err
}

// Transfer returns the transfer syntax in force on context id.
func (c *Conn) Transfer(id uint16) rpcparse.TransferSyntax {
	e, ok := c.contexts[id]
	if !ok {
		return rpcparse.TransferNone
	}
	return rpcparse.TransferOf(e.Transfers.At(0))
}
