package rpcparse

// bind follows a bind or an alter_context.
func (c *Conversation) bind(p *PDU, out []Event) ([]Event, error) {
	if len(c.handshakes) >= maxHandshakes && c.opts.MidStream {
		c.handshakes = c.handshakes[1:] // its answer was not seen
	}
	if len(c.handshakes) >= maxHandshakes {
		return out, Errorf(ClassLimit, "handshakes", 2, "more than %d handshakes without an answer", maxHandshakes)
	}
	if k := c.findCall(p.CallID); (k.IsBind() || k.IsUnbind()) && !c.opts.MidStream {
		return out, Errorf(ClassState, "call_id", 12, "%v under the id of call %d, which waits for its answer", p.Type, p.CallID)
	}
	hs := handshake{callID: p.CallID, ptype: p.Type, headerSign: p.Flags&FlagSupportHeaderSign != 0}
	out, hs.doubt = c.readBind(&hs, p, out)
	c.handshakes = append(c.handshakes, hs)
	return out, hs.doubt
}

func (c *Conversation) readBind(hs *handshake, p *PDU, out []Event) ([]Event, error) {
	b := Bind{Header: p.Header}
	if err := b.parseBody(p.Raw); err != nil {
		return out, err
	}
	if err := c.mayBind(&b); err != nil {
		return out, err
	}
	var err error
	if hs.proposals, err = c.proposals(&b); err != nil {
		return out, err
	}
	if b.Type == PTypeBind {
		out = append(out, Event{Kind: EventAssociationRequested, CallID: b.CallID, Association: b.AssocGroupID})
	}
	if b.HasVerifier {
		var s *SecurityContext
		if s, hs.begins, err = c.securityFor(&b); err != nil {
			return out, err
		}
		if out, err = c.clientLeg(s, &b.Verifier, out); err != nil {
			return out, err
		}
		hs.security = s
	}
	return out, nil
}

// mayBind checks the order: one bind, first of all, then alter_contexts.
func (c *Conversation) mayBind(b *Bind) error {
	if c.opts.MidStream {
		return nil
	}
	binding := false
	for _, hs := range c.handshakes {
		binding = binding || hs.ptype == PTypeBind
	}
	switch {
	case b.Type == PTypeBind && (c.bound || binding):
		return Errorf(ClassState, "bind_twice", 2, "a second bind on one connection")
	case b.Type == PTypeAlterContext && !c.bound && !binding:
		return Errorf(ClassState, "alter_context_before_bind", 2, "alter_context on a connection without a bind")
	}
	return nil
}

// takeHandshake removes and returns the oldest handshake of that call id and
// one of the types.
func (c *Conversation) takeHandshake(callID uint32, ptypes ...PType) (handshake, bool) {
	for i, hs := range c.handshakes {
		if hs.callID != callID {
			continue
		}
		for _, t := range ptypes {
			if hs.ptype == t {
				c.handshakes = append(c.handshakes[:i], c.handshakes[i+1:]...)
				c.trimHandshakes()
				return hs, true
			}
		}
	}
	return handshake{}, false
}

// WithdrawBind forgets a bind that is not forwarded to the server.
func (c *Conversation) WithdrawBind(callID uint32) { c.takeHandshake(callID, PTypeBind) }

// trimHandshakes gives the list back when it is empty: an idle connection
// keeps its state and nothing else.
func (c *Conversation) trimHandshakes() {
	if len(c.handshakes) == 0 {
		c.handshakes = nil
	}
}

// bindAck follows a bind_ack or an alter_context_resp.
func (c *Conversation) bindAck(p *PDU, out []Event) ([]Event, error) {
	a := BindAck{Header: p.Header}
	if err := a.parseBody(p.Raw); err != nil {
		return out, err
	}
	asked := PTypeBind
	if a.Type == PTypeAlterContextResp {
		asked = PTypeAlterContext
	}
	hs, ok := c.takeHandshake(a.CallID, asked)
	if !ok {
		if c.opts.MidStream {
			return out, nil
		}
		return out, Errorf(ClassState, "unexpected_answer", 12, "%v for call %d, but no %v waits for it", a.Type, a.CallID, asked)
	}
	if hs.doubt != nil && !c.opts.FollowAll {
		return out, Errorf(ClassState, "accepted_in_doubt", 2, "the server accepted a handshake that was not understood: %v", hs.doubt)
	}
	if err := c.accept(hs.proposals, a.Results); err != nil {
		return out, err
	}
	if hs.headerSign && a.Flags&FlagSupportHeaderSign != 0 {
		c.headerSign = true
	}
	if a.Type == PTypeBindAck {
		c.bound, c.group = true, a.AssocGroupID
		c.limits[ClientToServer], c.limits[ServerToClient] = int(a.MaxRecvFrag), int(a.MaxXmitFrag)
		out = append(out, Event{Kind: EventAssociationJoined, CallID: a.CallID, Association: a.AssocGroupID, Security: hs.security})
	}
	return c.serverLeg(hs.security, a.Verifier.Token, a.Type, out), nil
}

// bindNak follows a bind_nak. The client may bind again.
func (c *Conversation) bindNak(p *PDU, out []Event) ([]Event, error) {
	n := BindNak{Header: p.Header}
	if err := n.parseBody(p.Raw); err != nil {
		return out, err
	}
	hs, ok := c.takeHandshake(n.CallID, PTypeBind, PTypeAlterContext)
	if !ok && !c.opts.MidStream {
		return out, Errorf(ClassState, "unexpected_answer", 12, "bind_nak for call %d, but no bind waits for it", n.CallID)
	}
	if c.bound {
		c.refused(&hs)
	} else {
		c.forgetSecurity(func(*SecurityContext) bool { return true }) // a new bind begins a new one
	}
	return append(out, Event{Kind: EventAssociationRefused, CallID: n.CallID, Fault: uint32(n.Reason)}), nil
}

// auth3 follows the last leg of an authentication. It has no answer, so a
// context whose auth3 is not understood stays contested: if the server did
// understand it, nobody here knows whom it accepted.
func (c *Conversation) auth3(p *PDU, out []Event) ([]Event, error) {
	a := Auth3{Header: p.Header}
	err := a.parseBody(p.Raw)
	if err != nil {
		c.contest(func(s *SecurityContext) bool { return s.state == securityNegotiating })
		return out, err
	}
	if !c.bound && !c.Handshaking() {
		return out, Errorf(ClassState, "auth3_before_bind", 2, "auth3 on a connection without a bind")
	}
	if !a.HasVerifier {
		return out, nil // says nothing; the server judges it
	}
	s := c.securityByID(a.Verifier.ContextID)
	if s == nil && !c.opts.MidStream {
		return out, Errorf(ClassState, "auth3_without_context", a.Verifier.Offset,
			"auth3 for security context %d, which no bind began", a.Verifier.ContextID)
	}
	if s == nil {
		if s, err = c.beginSecurity(&a.Verifier); err != nil {
			return out, err
		}
	}
	if out, err = c.clientLeg(s, &a.Verifier, out); err != nil {
		c.contest(func(s *SecurityContext) bool { return s.ID == a.Verifier.ContextID })
	}
	return out, err
}
