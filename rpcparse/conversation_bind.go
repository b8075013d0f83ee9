package rpcparse

// bind follows a bind or an alter_context.
func (c *Conversation) bind(p *PDU, out []Event) ([]Event, error) {
	if c.opts.MidStream {
		c.binds.forgetUnanswered(p.CallID, p.Type)
	}
	if len(c.binds) >= maxPendingBinds {
		return out, Errorf(ClassLimit, "handshakes", 2, "more than %d handshakes without an answer", maxPendingBinds)
	}
	if c.calls.find(p.CallID).changesSessions() && !c.opts.MidStream {
		return out, Errorf(ClassState, "call_id", 12, "%v under the id of call %d, which waits for its answer", p.Type, p.CallID)
	}
	b := pendingBind{callID: p.CallID, ptype: p.Type, headerSign: p.Flags&FlagSupportHeaderSign != 0}
	out, b.err = c.readBind(&b, p, out)
	c.binds = append(c.binds, b)
	return out, b.err
}

func (c *Conversation) readBind(pending *pendingBind, p *PDU, out []Event) ([]Event, error) {
	b := Bind{Header: p.Header}
	err := b.parseBody(p.Raw)
	if err != nil {
		return out, err
	}
	if err := c.bindInOrder(b.Type); err != nil {
		return out, err
	}
	if pending.proposals, err = c.contexts.proposals(&b, c.opts.FollowAll); err != nil {
		return out, err
	}
	if b.Type == PTypeBind {
		out = append(out, Event{Kind: EventAssociationRequested, CallID: b.CallID, Association: b.AssocGroupID})
	}
	if !b.HasVerifier {
		return out, nil
	}
	s := c.negotiated(&b.Verifier)
	if s == nil {
		if s, err = c.beginSecurity(&b.Verifier); err != nil {
			return out, err
		}
		s.byBind = b.Type == PTypeBind
		pending.beganSecurity = true
	}
	if out, err = s.clientToken(&b.Verifier, c.security.begun(), out); err != nil {
		return out, err
	}
	pending.security, pending.claim = s, s.claims
	return out, nil
}

// beginSecurity begins the security context that a verifier names, in place of
// an earlier one of its id whose refusal was missed.
func (c *Conversation) beginSecurity(v *Verifier) (*SecurityContext, error) {
	if c.opts.MidStream {
		c.security.refuse(func(s *SecurityContext) bool { return s.ID == v.ContextID })
	}
	s, err := c.security.begin(v, c.opts.NewFollower)
	if err == nil {
		s.midStream = c.opts.MidStream
	}
	return s, err
}

// bindInOrder checks the order: one bind, first of all, then alter_contexts.
func (c *Conversation) bindInOrder(t PType) error {
	if c.opts.MidStream {
		return nil
	}
	bound := c.bound || c.binds.hasBind()
	switch {
	case t == PTypeBind && bound:
		return Errorf(ClassState, "bind_twice", 2, "a second bind on one connection")
	case t == PTypeAlterContext && !bound:
		return Errorf(ClassState, "alter_context_before_bind", 2, "alter_context on a connection without a bind")
	}
	return nil
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
	b, ok := c.binds.take(a.CallID, asked)
	if !ok {
		if c.opts.MidStream {
			return out, nil
		}
		return out, Errorf(ClassState, "unexpected_answer", 12, "%v for call %d, but no %v waits for it", a.Type, a.CallID, asked)
	}
	if b.err != nil && !c.opts.FollowAll {
		return out, Errorf(ClassState, "accepted_in_doubt", 2, "the server accepted a handshake that was not understood: %v", b.err)
	}
	if err := c.contexts.accept(b.proposals, a.Results, c.opts.FollowAll); err != nil {
		return out, err
	}
	if b.headerSign && a.Flags&FlagSupportHeaderSign != 0 {
		c.headerSign = true
	}
	if a.Type == PTypeBindAck {
		c.bound, c.group = true, a.AssocGroupID
		c.limits[ClientToServer], c.limits[ServerToClient] = a.MaxRecvFrag, a.MaxXmitFrag
		out = append(out, Event{Kind: EventAssociationJoined, CallID: a.CallID, Association: a.AssocGroupID, Security: b.security})
	}
	return b.security.answered(&b, a.Verifier.Token, a.Type, out), nil
}

// bindNak follows a bind_nak. The client may bind again.
func (c *Conversation) bindNak(p *PDU, out []Event) ([]Event, error) {
	n := BindNak{Header: p.Header}
	if err := n.parseBody(p.Raw); err != nil {
		return out, err
	}
	b, ok := c.binds.take(n.CallID, PTypeBind, PTypeAlterContext)
	if !ok && !c.opts.MidStream {
		return out, Errorf(ClassState, "unexpected_answer", 12, "bind_nak for call %d, but no bind waits for it", n.CallID)
	}
	c.nak(&b)
	return append(out, Event{Kind: EventAssociationRefused, CallID: n.CallID, Fault: uint32(n.Reason)}), nil
}

// nak forgets the security contexts that end with a bind_nak: before the first
// bind_ack that is all, for the next bind begins its own.
func (c *Conversation) nak(b *pendingBind) {
	if c.bound {
		c.forgetSecurityOf(b)
		return
	}
	c.security.refuse(func(*SecurityContext) bool { return true })
}

// forgetSecurityOf forgets the security context that a refused bind or
// alter_context began, and what it presented in one that goes on.
func (c *Conversation) forgetSecurityOf(b *pendingBind) {
	if b.beganSecurity && b.security != nil && !b.security.Accepted() {
		c.security.refuse(func(s *SecurityContext) bool { return s == b.security })
		return
	}
	b.security.rejected(b.claim)
}

// auth3 follows the last leg of an authentication. It has no answer, so the user
// of a context whose auth3 is not understood stays unknown: the server may have
// understood it, and does not say which user it accepted.
func (c *Conversation) auth3(p *PDU, out []Event) ([]Event, error) {
	a := Auth3{Header: p.Header}
	err := a.parseBody(p.Raw)
	if err != nil {
		c.security.contest(func(s *SecurityContext) bool { return s.state == securityNegotiating })
		return out, err
	}
	if !c.bound && !c.Handshaking() {
		return out, Errorf(ClassState, "auth3_before_bind", 2, "auth3 on a connection without a bind")
	}
	s := c.negotiated(&a.Verifier)
	if s == nil && !c.opts.MidStream {
		return out, Errorf(ClassState, "auth3_without_context", a.Verifier.Offset,
			"auth3 for security context %d, which no bind began", a.Verifier.ContextID)
	}
	if s == nil {
		if s, err = c.beginSecurity(&a.Verifier); err != nil {
			return out, err
		}
	}
	if out, err = s.clientToken(&a.Verifier, c.security.begun(), out); err != nil {
		c.security.contest(func(k *SecurityContext) bool { return k == s })
	}
	return out, err
}
