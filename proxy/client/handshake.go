package client

import (
	"bytes"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// negotiate sends b with the first leg of s and goes through the others.
func (c *Conn) negotiate(b rpcparse.Bind, contexts []rpcparse.ContextElement, s *Security) error {
	var token []byte
	if s != nil {
		var err error
		if token, err = s.first(); err != nil {
			return err
		}
		if s.protects() {
			b.Flags |= rpcparse.FlagSupportHeaderSign
		}
	}
	c.stream.framer.Limits.MaxBind = 0 // as long as a token is
	if s == nil {
		c.stream.framer.Limits.MaxBind = rpcparse.DefaultFragment
	}
	answer, err := c.exchange(b, s, token)
	if err != nil {
		return err
	}
	if b.Type == rpcparse.PTypeBind {
		if err := c.agree(b); err != nil {
			return err
		}
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
	c.signHeaders()
	c.ContextID = accepted
	return nil
}

// signHeaders tells every security context what was agreed on for the
// connection, which may be late (MS-RPCE 3.3.1.5.2.2).
func (c *Conn) signHeaders() {
	for _, s := range c.security {
		s.setHeaderSigning(c.headerSigning)
	}
}

// agree takes over what the bind_ack says of the connection. A server may take
// less than was offered, but not so little that nothing fits.
func (c *Conn) agree(b rpcparse.Bind) error {
	a := &c.LastAck
	if a.MaxRecvFrag < rpcparse.MinFragment {
		return protocolf("a server that takes fragments of %d bytes, at least %d", a.MaxRecvFrag, rpcparse.MinFragment)
	}
	c.Group, c.MaxFragment = a.AssocGroupID, int(a.MaxRecvFrag)
	c.Multiplexed = a.Flags.Has(rpcparse.FlagConcMpx)
	c.stream.framer.SetMaxFragment(int(min(a.MaxXmitFrag, b.MaxRecvFrag)))
	return nil
}

// legs continues a handshake until both sides are content.
func (c *Conn) legs(b rpcparse.Bind, s *Security, answer []byte) error {
	b.Type, b.Flags, b.AssocGroupID = rpcparse.PTypeAlterContext, rpcparse.FlagsWhole, c.Group
	for range maxLegs {
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
	return limitf("a handshake of more than %d legs", maxLegs)
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
	pdu, h, err := c.receive()
	if err != nil {
		return nil, err
	}
	if h.CallID != b.CallID {
		return nil, protocolf("%v for call %d, the call is %d", h.Type, h.CallID, b.CallID)
	}
	if !h.First() || !h.Last() {
		return nil, protocolf("a fragment of %v", h.Type)
	}
	token, err = c.ack(b.Type, bytes.Clone(pdu), h.Type)
	if b.Flags.Has(rpcparse.FlagSupportHeaderSign) && err == nil && c.LastAck.Flags.Has(rpcparse.FlagSupportHeaderSign) {
		c.headerSigning = true // for good
	}
	return token, err
}

// ack takes over the answer to a bind or alter_context.
func (c *Conn) ack(asked rpcparse.PType, pdu []byte, t rpcparse.PType) (token []byte, err error) {
	switch {
	case t == rpcparse.PTypeBindAck && asked == rpcparse.PTypeBind, t == rpcparse.PTypeAlterContextResp && asked != rpcparse.PTypeBind:
		if c.LastAck, err = rpcparse.ParseBindAck(pdu); err != nil {
			return nil, err
		}
		return c.LastAck.Verifier.Token, nil
	case t == rpcparse.PTypeBindNak && asked == rpcparse.PTypeBind:
		n, err := rpcparse.ParseBindNak(pdu)
		if err != nil {
			return nil, err
		}
		return nil, &Nak{Reason: n.Reason}
	case t == rpcparse.PTypeFault:
		var x call
		if err := x.fault(pdu); err != nil {
			return nil, err
		}
		return nil, x.err
	}
	return nil, protocolf("%v answered by %v", asked, t)
}

// accept keeps the contexts that LastAck accepts and returns the first. If
// none is, the error is that of the first that is no offer of features.
func (c *Conn) accept(contexts []rpcparse.ContextElement) (first uint16, err error) {
	results := c.LastAck.Results
	if results.Len() != len(contexts) {
		return 0, protocolf("%d results for %d contexts", results.Len(), len(contexts))
	}
	found := false
	for i, e := range contexts {
		r := results.At(i)
		switch r.Result {
		case rpcparse.ResultAcceptance:
			if !offers(e, r.Transfer) {
				return 0, protocolf("accepted in %v, which was not offered", r.Transfer)
			}
			e.Transfers = rpcparse.NewSyntaxList(r.Transfer)
			c.contexts[e.ID] = e
			if !found {
				first, found = e.ID, true
			}
		case rpcparse.ResultUserRejection, rpcparse.ResultProviderRejection:
			if err == nil {
				err = &Rejected{ContextID: e.ID, Result: r}
			}
		default:
			if !offersFeatures(e) {
				return 0, protocolf("result %d for context %d", r.Result, e.ID)
			}
		}
	}
	if found || err == nil {
		return first, nil
	}
	return 0, err
}

// offersFeatures reports whether a context is one of bind-time feature negotiation.
func offersFeatures(e rpcparse.ContextElement) bool {
	if e.Transfers.Len() == 0 {
		return false
	}
	_, ok := rpcparse.IsFeatureNegotiation(e.Transfers.At(0))
	return ok
}

func offers(e rpcparse.ContextElement, transfer rpcparse.SyntaxID) bool {
	for i := range e.Transfers.Len() {
		if e.Transfers.At(i) == transfer {
			return true
		}
	}
	return false
}

// Transfer returns the transfer syntax in force on context id.
func (c *Conn) Transfer(id uint16) rpcparse.TransferSyntax {
	e, ok := c.contexts[id]
	if !ok {
		return rpcparse.TransferNone
	}
	return rpcparse.TransferOf(e.Transfers.At(0))
}
