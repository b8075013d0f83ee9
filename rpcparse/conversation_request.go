package rpcparse

import (
	"math/bits"

	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// request follows one fragment of a request.
func (c *Conversation) request(p *PDU, out []Event) ([]Event, error) {
	if p.Err != nil {
		return out, p.Err
	}
	r := &p.Request
	if !c.bound && !c.Handshaking() {
		return out, Errorf(ClassState, "request_before_bind", 2, "a request on a connection without a bind")
	}
	if err := c.requestFragment(r); err != nil {
		return out, err
	}
	k, err := c.callOf(p)
	if err != nil {
		return out, err
	}
	p.Call = k
	if k == nil {
		if r.First() {
			c.unfollowed.begin(r.CallID)
		}
		return out, nil
	}
	return k.request(r, out)
}

// request follows one fragment of the call's request.
func (k *Call) request(r *Request, out []Event) ([]Event, error) {
	k.reqLen += len(r.Stub)
	if !k.changesSessions() {
		k.complete = k.complete || r.Last()
		return out, nil
	}
	stub, whole, err := k.gather(r.Stub, r.First(), r.Last())
	if err != nil || !whole {
		return out, err
	}
	k.complete = true
	k.stub = nil // read, or not to be read
	return append(out, k.requested(stub, r.Order())), nil
}

// callOf returns the call that a request belongs to, which begins with its first
// fragment; nil if the call is not followed.
func (c *Conversation) callOf(p *PDU) (*Call, error) {
	r := &p.Request
	k := c.calls.find(r.CallID)
	if !r.First() {
		if !k.IsBind() && c.contexts.find(r.ContextID).opensSession(r.Opnum) && !c.opts.MidStream {
			c.mayHideBind = true
			return nil, Errorf(ClassState, "context_during_call", 20, "context %d became an address book between the fragments of call %d", r.ContextID, r.CallID)
		}
		return k, nil
	}
	if k != nil && !c.opts.MidStream {
		c.unfollow(k)
		return nil, Errorf(ClassState, "call_id", 12, "call %d is made again before its answer", r.CallID)
	}
	if k != nil {
		c.calls.remove(k) // its answer was not seen
	}
	return c.beginCall(p)
}

// unfollow forgets a call when another one is made under its id: an answer could
// be either's. An NspiBind or NspiUnbind is kept, and [Conversation.MayHideBind]
// does not let the other call pass.
func (c *Conversation) unfollow(k *Call) {
	if !k.changesSessions() {
		c.calls.remove(k)
		c.unfollowed.begin(k.ID)
	}
}

// beginCall begins to follow a call whose answer matters, and returns nil for
// any other.
func (c *Conversation) beginCall(p *PDU) (*Call, error) {
	r := &p.Request
	user, err := c.callerOf(r)
	if err != nil {
		return nil, err
	}
	context := c.contexts.find(r.ContextID)
	if context.opensSession(r.Opnum) {
		if err := c.checkBindUser(r, user.security); err != nil {
			return nil, err
		}
	} else if context.IsNSPI() {
		c.use, c.used = useOf(p, user.security), true
	}
	claim := user.provableClaim()
	provesUser := claim != 0 && r.HasVerifier
	if !provesUser && !c.opts.FollowAll && !context.needsAnswer(r.Opnum) {
		return nil, nil
	}
	if err := c.checkCallID(r, context); err != nil {
		return nil, err
	}
	k := &Call{
		ID: r.CallID, Opnum: r.Opnum, Context: context, Security: user.security, Level: user.level(r),
		opened: p.Opened, hasVerifier: r.HasVerifier, claim: claim,
	}
	if user.several {
		k.Security, k.Among = c.among()
	}
	if err := c.calls.add(k, c.opts.FollowAll || c.opts.MidStream); err != nil {
		return nil, err
	}
	return k, nil
}

// among returns the contexts that servers may take a request without a verifier for:
// the only one that comes into question, or all of several.
func (c *Conversation) among() (only *SecurityContext, several []*SecurityContext) {
	list := c.security.presented()
	if len(list) == 1 {
		return list[0], nil
	}
	return nil, list
}

// checkCallID checks that no call which is not followed may wait for an answer
// under the id of one that is.
func (c *Conversation) checkCallID(r *Request, context *PresentationContext) error {
	if c.opts.FollowAll || c.opts.MidStream || !c.unfollowed.mayWait(r.CallID) {
		return nil
	}
	c.mayHideBind = context.changesSessions(r.Opnum)
	return Errorf(ClassState, "call_id", 12, "call %d is made while another one of that id may wait for its answer", r.CallID)
}

// checkBindUser checks that an NspiBind belongs to one user in every server's
// reading.
func (c *Conversation) checkBindUser(r *Request, s *SecurityContext) error {
	if s != nil && s.contested {
		return Errorf(ClassAuth, "user_contested", 12, "NspiBind under security context %d, of which a handshake PDU was not understood", s.ID)
	}
	return nil
}

// requestFragment checks one PDU of a request against the requests between
// their fragments.
func (c *Conversation) requestFragment(r *Request) error {
	if r.First() && r.Last() && len(c.requests) == 0 {
		return nil // the common case
	}
	if r.First() {
		f, err := c.requests.begin(r, c.opts.MidStream)
		if f != nil {
			c.noteReadings(f, r)
		}
		return err
	}
	return c.laterRequestFragment(r)
}

func (c *Conversation) laterRequestFragment(r *Request) error {
	f := c.requests.find(r.CallID)
	if f == nil {
		if c.opts.MidStream {
			return nil // the first one was not seen
		}
		return Errorf(ClassState, "fragment_without_first", 3, "a later fragment of call %d, whose first fragment is missing", r.CallID)
	}
	c.noteReadings(f, r)
	err := f.checkRequest(r)
	c.mayHideBind = err != nil && f.saysBind && f.saysNSPI
	if r.Last() {
		c.requests.end(r.CallID)
	}
	return err
}

// noteReadings notes what servers may take a call for whose fragments differ: one
// server takes the context from one fragment and the operation from another,
// one the byte order of the first for all.
func (c *Conversation) noteReadings(f *fragmented, r *Request) {
	f.saysBind = f.saysBind || r.Opnum == nspi.OpnumBind
	f.saysNSPI = f.saysNSPI || c.mayBeNSPI(r.ContextID) || c.mayBeNSPI(f.contextID) ||
		(f.drep != r.Drep && c.mayBeNSPI(bits.ReverseBytes16(r.ContextID)))
}
