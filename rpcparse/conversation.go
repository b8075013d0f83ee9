package rpcparse

// ConversationOptions sets what a [Conversation] follows. The zero value is
// what a proxy needs.
type ConversationOptions struct {
	// FollowAll keeps every presentation context and every call, not only those
	// of the address book, the endpoint mapper and the referral interface: for
	// readers of captures.
	FollowAll bool
	// MidStream says that the beginning of the connection was not seen, so that
	// a request without a bind is no error.
	MidStream bool
	// SkipWithdrawn says that the server received what the caller withdraws all
	// the same, and answers it: for readers of captures, which decide on PDUs that
	// were forwarded long ago. The answers to a withdrawn call mean nothing then,
	// and neither does what follows a withdrawn bind, up to the next bind.
	SkipWithdrawn bool
	// NewFollower is called for every security context, when it begins, and what
	// it returns stands in [SecurityContext.Follower] from then on. Of s, ID, Type
	// and Level are set. Nil: no context gets one.
	NewFollower func(s *SecurityContext) TokenFollower
}

// Conversation is the state of one TCP connection: presentation contexts,
// security contexts, calls in flight and fragments. It does no I/O: whole PDUs
// go in, events come out. It is not safe for concurrent use. The zero value is
// ready for a connection that is followed from its first byte.
//
// After an error client and server may disagree about what the PDU meant. An
// error about a server's PDU, or of [ClassLimit], must end the connection. So
// must one about a PDU that [Conversation.MayHideBind]. Any other PDU of
// a client may go on to the server, which is the judge of it: the conversation
// stays safe to use, and returns an error when the server accepts what it
// could not follow.
type Conversation struct {
	opts       ConversationOptions
	bound      bool // a bind was answered with bind_ack
	headerSign bool // agreed, and never cleared (MS-RPCE 3.3.1.5.2.2)
	group      uint32
	limits     [2]uint16 // largest fragment agreed, by direction

	contexts   presentationContexts
	security   securityContexts
	binds      pendingBinds
	calls      calls
	unfollowed outstanding // calls that are not followed
	requests   requestFragments
	responding responseFragments
	withdrawn  withdrawn // with SkipWithdrawn

	// About the client's PDU seen last.
	mayHideBind bool // it could be taken for an NspiBind or its answer
	use         SessionUse
	used        bool // use is set
}

// NewConversation returns a conversation that follows what opts says.
func NewConversation(opts ConversationOptions) *Conversation {
	return &Conversation{opts: opts, bound: opts.MidStream}
}

// Association returns the assoc_group_id that the server gave, 0 before.
func (c *Conversation) Association() uint32 { return c.group }

// Bound reports whether the server has answered a bind with bind_ack.
func (c *Conversation) Bound() bool { return c.bound }

// HeaderSigning reports whether signatures cover PDU headers by agreement.
func (c *Conversation) HeaderSigning() bool { return c.headerSign }

// MaxFragment returns the largest fragment, in bytes, that was agreed for dir
// by bind and bind_ack; 0 before.
func (c *Conversation) MaxFragment(dir Direction) int { return int(c.limits[dir]) }

// HasNSPI reports whether the server has accepted the address book on the connection.
func (c *Conversation) HasNSPI() bool {
	for _, p := range c.contexts {
		if p.IsNSPI() {
			return true
		}
	}
	return false
}

// SessionUse returns which session the request seen last makes use of. It is
// valid until the next PDU.
func (c *Conversation) SessionUse() (u *SessionUse, ok bool) { return &c.use, c.used }

// SecurityContexts returns how many security contexts the connection has.
func (c *Conversation) SecurityContexts() int { return len(c.security) }

// ClientPDU follows a PDU of the client, sets p.Call and appends what the PDU
// meant to out. It keeps no part of p. Errors are *[Error].
func (c *Conversation) ClientPDU(p *PDU, out []Event) ([]Event, error) {
	p.Call, c.used, c.mayHideBind = nil, false, false
	if c.withdrawn.skipsClient(p) {
		return out, nil
	}
	out, err := c.clientPDU(p, out)
	if err != nil && !p.Type.Handshake() {
		c.unfollowed.begin(p.CallID) // whatever it is, it may be answered
	}
	return out, err
}

func (c *Conversation) clientPDU(p *PDU, out []Event) ([]Event, error) {
	switch p.Type {
	case PTypeRequest:
		return c.request(p, out)
	case PTypeBind, PTypeAlterContext:
		return c.bind(p, out)
	case PTypeAuth3:
		return c.auth3(p, out)
	case PTypeCoCancel, PTypeOrphaned:
		return c.abandoned(p, out)
	}
	return out, Errorf(ClassState, "ptype", 2, "%v from a client on a TCP connection", p.Type)
}

// ServerPDU is ClientPDU for the other direction.
func (c *Conversation) ServerPDU(p *PDU, out []Event) ([]Event, error) {
	p.Call = nil
	if c.withdrawn.skipsServer(p) {
		return out, nil
	}
	switch p.Type {
	case PTypeResponse:
		return c.response(p, out)
	case PTypeFault:
		return c.fault(p, out)
	case PTypeBindAck, PTypeAlterContextResp:
		return c.bindAck(p, out)
	case PTypeBindNak:
		return c.bindNak(p, out)
	case PTypeShutdown:
		return out, nil // a request to the client to close; it decides (C706 12.6.4.11)
	}
	return out, Errorf(ClassState, "ptype", 2, "%v from a server on a TCP connection", p.Type)
}

// Follow is ClientPDU or ServerPDU, by the direction of the PDU.
func (c *Conversation) Follow(d Direction, p *PDU, out []Event) ([]Event, error) {
	if d == ServerToClient {
		return c.ServerPDU(p, out)
	}
	return c.ClientPDU(p, out)
}

// NeedsStub reports whether the stub of a request or response has to be read: it
// is NspiBind, NspiUnbind, or an answer to one, or it refers a client to a server.
func (c *Conversation) NeedsStub(p *PDU) bool {
	switch p.Type {
	case PTypeRequest:
		return p.Err == nil && c.contexts.find(p.Request.ContextID).changesSessions(p.Request.Opnum)
	case PTypeResponse:
		k := c.calls.find(p.CallID)
		return k.changesSessions() || k.Refers()
	}
	return false
}

// Security returns the security context that the PDU's verifier names, or nil.
func (c *Conversation) Security(v *Verifier) *SecurityContext { return c.security.find(v.ContextID) }

// AwaitsHandshake reports whether the meaning of a request, or of its answer,
// depends on a bind or alter_context that the server has not answered yet: that
// one offers the presentation context of the request, or may offer it because it
// was not understood, or it has the same call id, so that a fault could answer
// either. A caller that has to act on the request waits until
// [Conversation.Handshaking] is false.
func (c *Conversation) AwaitsHandshake(p *PDU) bool {
	if len(c.binds) == 0 || p.Type != PTypeRequest || p.Err != nil {
		return false
	}
	r := &p.Request
	for i := range c.binds {
		b := &c.binds[i]
		if b.callID == r.CallID || b.offers(r.ContextID) || (b.err != nil && c.contexts.find(r.ContextID) == nil) {
			return true
		}
	}
	return false
}

// Handshaking reports whether a bind or alter_context waits for its answer.
func (c *Conversation) Handshaking() bool { return len(c.binds) > 0 }

// Responding reports whether the server is between two fragments of a
// response, so that another PDU to the client must wait.
func (c *Conversation) Responding() bool { return c.responding.unfinished }

// Context returns the accepted presentation context of that id, or nil when
// there is none or it is not followed.
func (c *Conversation) Context(id uint16) *PresentationContext { return c.contexts.find(id) }

// Calls returns the calls that are followed and wait for an answer, until the
// next PDU.
func (c *Conversation) Calls() []*Call { return c.calls }

// Withdraw forgets a call whose request is not forwarded to the server.
func (c *Conversation) Withdraw(k *Call) {
	c.calls.remove(k)
	if c.opts.SkipWithdrawn {
		c.withdrawn.addCall(k.ID)
	}
}

// WithdrawBind forgets a bind that is not forwarded to the server. The client may
// bind again, as after a bind_nak.
func (c *Conversation) WithdrawBind(callID uint32) {
	if b, ok := c.binds.take(callID, PTypeBind); ok {
		c.nak(&b)
		c.withdrawn.bind = c.opts.SkipWithdrawn
	}
}

// WithdrawAlterContext forgets an alter_context that is not forwarded to the server,
// as after a fault.
func (c *Conversation) WithdrawAlterContext(callID uint32) {
	if b, ok := c.binds.take(callID, PTypeAlterContext); ok {
		c.forgetSecurityOf(&b)
	}
}

// OffersNSPI reports whether a bind or alter_context of that call id, which the server
// has not answered yet, offers the address book.
func (c *Conversation) OffersNSPI(callID uint32) bool {
	for i := range c.binds {
		if c.binds[i].callID == callID && c.binds[i].offersNSPI() {
			return true
		}
	}
	return false
}
