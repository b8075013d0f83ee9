package simdc

import "github.com/nspiproxy/nspiproxy/rpcparse"

// onBind answers the first PDU of a connection.
func (c *conn) onBind(pdu []byte) bool {
	b, err := rpcparse.ParseBind(pdu)
	if err != nil {
		return false
	}
	if b.MinorVersion != 0 {
		return c.nak(b.Header, rpcparse.NakProtocolVersionNotSupported)
	}
	if c.bound || b.Contexts.Len() == 0 {
		return c.nak(b.Header, rpcparse.NakNotSpecified)
	}
	verifier, reason, ok := c.firstLeg(b)
	if !ok {
		return c.nak(b.Header, reason)
	}
	results, ok := c.negotiate(b.Contexts)
	if !ok {
		return c.nak(b.Header, rpcparse.NakNotSpecified)
	}
	if c.assoc, ok = c.endpoint.associations.enter(b.AssocGroupID, c.peer.Addr()); !ok {
		return c.nak(b.Header, rpcparse.NakNotSpecified)
	}
	c.bound = true
	c.mpx = b.Flags.Has(rpcparse.FlagConcMpx) && !c.server.cfg.NoMultiplexing
	c.fragment = int(rpcparse.Negotiate(b.MaxXmitFrag, b.MaxRecvFrag, c.server.cfg.MaxFragment))
	return c.reply(rpcparse.AppendBindAck(nil, c.ack(b, rpcparse.PTypeBindAck, results, verifier)))
}

// firstLeg takes the token of a bind, if it has one. What it answers is a
// verifier for the bind_ack, or the reason of a bind_nak.
func (c *conn) firstLeg(b rpcparse.Bind) (answer *rpcparse.Verifier, nak uint16, ok bool) {
	if !b.HasVerifier {
		return nil, 0, true
	}
	s := c.newSecurity(b.Verifier)
	if s == nil {
		return nil, rpcparse.NakAuthTypeNotRecognized, false
	}
	token, err := s.leg(b.Verifier.Token)
	if err != nil {
		return nil, rpcparse.NakInvalidChecksum, false
	}
	c.security[s.id] = s
	return s.verifier(token), 0, true
}

// nak refuses a bind and ends the connection.
func (c *conn) nak(h rpcparse.Header, reason uint16) bool {
	c.reply(rpcparse.AppendBindNak(nil, rpcparse.BindNak{
		Header:   answerHeader(h),
		Reason:   reason,
		Versions: []byte{5, 0},
		Rest:     make([]byte, 3), // to a multiple of four
	}))
	return false
}

// ack builds a bind_ack or alter_context_resp for b.
func (c *conn) ack(b rpcparse.Bind, t rpcparse.PType, results rpcparse.ResultList, v *rpcparse.Verifier) rpcparse.BindAck {
	a := rpcparse.BindAck{
		Header:       answerHeader(b.Header),
		MaxXmitFrag:  uint16(c.fragment),
		MaxRecvFrag:  uint16(c.fragment),
		AssocGroupID: c.assoc.id,
		Results:      results,
	}
	a.Type = t
	a.Flags |= b.Flags & rpcparse.FlagSupportHeaderSign // NTLM signs headers in any case
	if t == rpcparse.PTypeBindAck {
		a.SecondaryAddress = c.secondaryAddress()
		if c.mpx {
			a.Flags |= rpcparse.FlagConcMpx
		}
	}
	if v != nil {
		a.Verifier, a.HasVerifier = *v, true
	}
	return a
}

// answerHeader is the header of a whole PDU that answers one with header h, in
// the byte order of the client.
func answerHeader(h rpcparse.Header) rpcparse.Header {
	return rpcparse.Header{Flags: rpcparse.FlagsWhole, Drep: rpcparse.DrepOf(h.Order()), CallID: h.CallID}
}

// onAlterContext adds presentation contexts and takes a leg of a handshake.
func (c *conn) onAlterContext(pdu []byte) bool {
	b, err := rpcparse.ParseBind(pdu)
	if err != nil || !c.bound || b.Contexts.Len() == 0 {
		return c.protocolError(pdu)
	}
	results, ok := c.negotiate(b.Contexts)
	if !ok {
		return c.protocolError(pdu)
	}
	var answer *rpcparse.Verifier
	if b.HasVerifier {
		s := c.continued(b.Verifier)
		if s == nil {
			return c.protocolError(pdu)
		}
		token, err := s.leg(b.Verifier.Token)
		if err != nil {
			return c.fault(b.Header, 0, rpcparse.StatusAccessDenied, true)
		}
		if len(token) > 0 {
			answer = s.verifier(token)
		}
	}
	return c.reply(rpcparse.AppendBindAck(nil, c.ack(b, rpcparse.PTypeAlterContextResp, results, answer)))
}

// onAuth3 takes the last leg of a handshake. It is never answered: the first
// request hears of a failure.
func (c *conn) onAuth3(pdu []byte) bool {
	a, err := rpcparse.ParseAuth3(pdu)
	if err != nil {
		return false
	}
	s := c.security[a.Verifier.ContextID]
	if s == nil || !s.matches(a.Verifier) {
		return c.protocolError(pdu)
	}
	_, _ = s.leg(a.Verifier.Token) // s remembers
	return true
}

// protocolError answers with a fault and ends the connection.
func (c *conn) protocolError(pdu []byte) bool {
	h, err := rpcparse.ParseHeader(pdu)
	if err == nil {
		c.fault(h, 0, rpcparse.StatusProtoError, true)
	}
	return false
}
