package rpcparse

// response follows one fragment of a response.
func (c *Conversation) response(p *PDU, out []Event) ([]Event, error) {
	if p.Err != nil {
		return out, p.Err
	}
	r := &p.Response
	if err := c.responding.follow(r); err != nil {
		return out, err
	}
	k := c.calls.find(r.CallID)
	p.Call = k
	if k == nil { // a call that is not followed, or was never made
		if r.Last() {
			c.unfollowed.end(r.CallID)
		}
		return out, nil
	}
	if !k.complete && !c.opts.FollowAll && !c.opts.MidStream {
		return out, Errorf(ClassState, "early_response", 12, "a response to call %d before its last fragment", k.ID)
	}
	out, err := k.response(p, out)
	if err == nil && r.Last() {
		c.calls.remove(k)
	}
	return out, err
}

// response follows one fragment of the call's response.
//
// If the request had a verifier, the response shows that the server accepted its
// user. If not, it does not: a server that refused the auth3 may carry out the
// call without authentication, as Samba does. A granted NspiBind shows it in both
// cases, because servers do not grant one without authentication.
func (k *Call) response(p *PDU, out []Event) ([]Event, error) {
	r := &p.Response
	if k.hasVerifier {
		out = k.Security.accept(k.claim, k.ID, out)
	}
	k.respLen += len(r.Stub)
	if !k.changesSessions() {
		return out, nil
	}
	stub, whole, err := k.gather(r.Stub, r.First(), r.Last())
	if err != nil || !whole {
		return out, err
	}
	e := k.answered(stub, r.Order(), k.Level >= LevelPrivacy && !p.Opened)
	if k.IsBind() && e.Granted {
		out = k.Security.accept(k.claim, k.ID, out)
	}
	return append(out, e), nil
}

// fault follows a fault. It ends its call, or the handshake that it answers.
func (c *Conversation) fault(p *PDU, out []Event) ([]Event, error) {
	f := Fault{Header: p.Header}
	if err := f.parseBody(p.Raw); err != nil {
		return out, err
	}
	c.requests.abandon(f.CallID)
	c.responding.faulted(f.CallID)
	k := c.calls.find(f.CallID)
	p.Call = k
	if k == nil {
		if b, ok := c.binds.take(f.CallID, PTypeBind, PTypeAlterContext); ok {
			c.forgetSecurityOf(&b)
		} else {
			c.unfollowed.end(f.CallID)
		}
		return out, nil
	}
	c.calls.remove(k)
	if !k.changesSessions() {
		return out, nil
	}
	return append(out, k.failed(f.Status)), nil
}

// abandoned follows a co_cancel or an orphaned PDU.
func (c *Conversation) abandoned(p *PDU, out []Event) ([]Event, error) {
	if p.Type == PTypeOrphaned {
		c.requests.abandon(p.CallID)
		c.responding.orphaned(p.CallID)
	}
	k := c.calls.find(p.CallID)
	p.Call = k
	if !k.changesSessions() {
		return out, nil
	}
	return append(out, Event{Kind: EventCallAbandoned, CallID: p.CallID, Security: k.Security, Call: k}), nil
}
