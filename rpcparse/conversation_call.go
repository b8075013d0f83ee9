package rpcparse

import (
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/tower"
)

const (
	// MaxCalls is how many calls in flight are followed on one connection.
	// Peers set no limit with concurrent multiplexing; Zeek follows 20.
	MaxCalls = 1024
	// MaxFollowedStub is how many bytes of a fragmented NspiBind or NspiUnbind
	// stub are put together. The largest legitimate one has 64 bytes and a
	// verification trailer of 60.
	MaxFollowedStub = 4096
)

// Call is a request that waits for its response.
type Call struct {
	ID       uint32
	Opnum    uint16
	Context  *PresentationContext // nil: not a context that is followed
	Security *SecurityContext     // nil: not authenticated
	Level    AuthLevel            // that protects this call
	Bind     nspi.BindRequest     // NspiBind, when it could be read
	Readable bool                 // the stub of the request could be read
	Handle   nspi.Handle          // NspiUnbind: the handle it names
	Tag      any                  // the caller's own, untouched here

	opened   bool   // the request was sealed and has been opened
	bare     bool   // the request has no verifier
	claim    uint32 // of Security, which the answer proves; 0: it proves none
	complete bool   // the last fragment of the request was seen
	reqLen   int    // bytes of request stub
	respLen  int    // bytes of response stub so far
	stub     []byte // fragments put together, nil for calls of one fragment
}

// IsNSPI reports whether the call is for an address book method.
func (k *Call) IsNSPI() bool { return k != nil && k.Context.IsNSPI() }

// IsBind reports whether the call is NspiBind.
func (k *Call) IsBind() bool { return k.IsNSPI() && k.Opnum == nspi.OpnumBind }

// IsUnbind reports whether the call is NspiUnbind.
func (k *Call) IsUnbind() bool { return k.IsNSPI() && k.Opnum == nspi.OpnumUnbind }

// MapsEndpoints reports whether the answer of the call holds towers: ept_map
// or ept_lookup.
func (k *Call) MapsEndpoints() bool {
	return k != nil && k.Context.IsEndpointMapper() && (k.Opnum == tower.OpnumMap || k.Opnum == tower.OpnumLookup)
}

// Protected reports whether the PDUs of the call are signed or sealed.
func (k *Call) Protected() bool { return k.Level > LevelConnect }

// Sealed reports whether the stub of the request could not be read.
func (k *Call) Sealed() bool { return k.Level >= LevelPrivacy && !k.opened }

// request follows one fragment of a request.
func (c *Conversation) request(p *PDU, out []Event) ([]Event, error) {
	if p.Err != nil {
		return out, p.Err
	}
	r := &p.Request
	if !c.bound && !c.Handshaking() {
		return out, Errorf(ClassState, "request_before_bind", 2, "a request on a connection without a bind")
	}
	if err := c.fragment(r); err != nil {
		return out, err
	}
	k := c.findCall(r.CallID)
	if r.First() {
		if k != nil && c.opts.MidStream {
			c.forget(k) // its answer was not seen
		} else if k != nil {
			c.ambiguous(k)
			return out, Errorf(ClassState, "call_id", 12, "call %d is made again before its answer", r.CallID)
		}
		var err error
		if k, err = c.begin(r, p.Opened); err != nil {
			return out, err
		}
	}
	if !r.First() && !k.IsBind() && c.isBind(r) && !c.opts.MidStream {
		c.hidden = true
		return out, Errorf(ClassState, "context_during_call", 20, "context %d became an address book between the fragments of call %d", r.ContextID, r.CallID)
	}
	c.last = k
	if k == nil {
		if r.First() {
			c.others.begin(r.CallID)
		}
		return out, nil
	}
	return c.requestFragment(k, r, out)
}

// isBind reports whether a fragment alone says that it is NspiBind.
func (c *Conversation) isBind(r *Request) bool {
	return r.Opnum == nspi.OpnumBind && c.contextByID(r.ContextID).IsNSPI()
}

// begin starts to follow a call where anything depends on its answer. opened
// says that the request's body has been verified and decrypted.
func (c *Conversation) begin(r *Request, opened bool) (*Call, error) {
	s, certain, err := c.securityOf(r)
	if err != nil {
		return nil, err
	}
	p := c.contextByID(r.ContextID)
	if p.IsNSPI() && r.Opnum != nspi.OpnumBind {
		c.use, c.used = useOf(r, s, opened), true
	}
	if c.isBind(r) {
		if err := c.mayBeCharged(r, s); err != nil {
			return nil, err
		}
	}
	proves := s != nil && !s.contested && s.state == securityClaimed && certain
	if follow := c.opts.FollowAll || (proves && r.HasVerifier) || matters(p, r.Opnum); !follow {
		return nil, nil
	}
	if c.others.mayWait(r.CallID) && !c.opts.FollowAll && !c.opts.MidStream {
		c.hidden = p.IsNSPI() && r.Opnum <= nspi.OpnumUnbind
		return nil, Errorf(ClassState, "call_id", 12, "call %d is made while another one of that id may wait for its answer", r.CallID)
	}
	k := &Call{ID: r.CallID, Opnum: r.Opnum, Context: p, Security: s, Level: LevelNone, opened: opened, bare: !r.HasVerifier}
	if proves {
		k.claim = s.claim
	}
	switch {
	case r.HasVerifier:
		k.Level = normalLevel(r.Verifier.Level)
	case s != nil:
		k.Level = LevelConnect
	}
	if len(c.calls) >= MaxCalls && c.opts.FollowAll {
		c.calls = append(c.calls[:0], c.calls[1:]...) // captures may lack all that one side sent
	}
	if len(c.calls) >= MaxCalls {
		return nil, Errorf(ClassLimit, "calls", 12, "more than %d calls wait for their answers", MaxCalls)
	}
	c.calls = append(c.calls, k)
	return k, nil
}

// mayBeCharged checks that it is known to whom an NspiBind under s belongs.
func (c *Conversation) mayBeCharged(r *Request, s *SecurityContext) error {
	if s != nil && s.contested {
		return Errorf(ClassAuth, "user_contested", 12, "NspiBind under security context %d, of which a handshake PDU was not understood", s.ID)
	}
	if r.HasVerifier || c.opts.FollowAll || c.opts.MidStream {
		return nil
	}
	if _, _, rivals := c.untrailed(); rivals {
		return Errorf(ClassAuth, "user_ambiguous", 10, "NspiBind without a verifier on a connection with several security contexts")
	}
	return nil
}

// Use is an address book request that names a session by its first
// parameter, as all but NspiBind do (MS-NSPI 3.1.4).
type Use struct {
	Handle   nspi.Handle
	Sealed   bool             // the handle cannot be read
	Security *SecurityContext // of the request
}

func useOf(r *Request, s *SecurityContext, opened bool) Use {
	u := Use{Security: s}
	if r.HasVerifier && r.Verifier.Level >= LevelPrivacy && !opened {
		u.Sealed = true
	} else if len(r.Stub) >= nspi.HandleSize {
		u.Handle = nspi.ReadHandle(r.Stub, r.Order())
	}
	return u
}

// matters reports whether the answer of the operation changes who holds what,
// or where clients go.
func matters(p *PresentationContext, opnum uint16) bool {
	switch {
	case p.IsNSPI():
		return opnum == nspi.OpnumBind || opnum == nspi.OpnumUnbind
	case p.IsEndpointMapper():
		return opnum == tower.OpnumMap || opnum == tower.OpnumLookup
	case p.IsReferral():
		return refers(opnum)
	}
	return false
}

func (c *Conversation) requestFragment(k *Call, r *Request, out []Event) ([]Event, error) {
	k.reqLen += len(r.Stub)
	if !k.IsBind() && !k.IsUnbind() {
		k.complete = k.complete || r.Last()
		return out, nil
	}
	stub, whole, err := k.gather(r.Stub, r.First(), r.Last())
	if err != nil || !whole {
		return out, err
	}
	k.complete = true
	k.readRequest(stub, r.Order())
	kind := EventBindRequested
	if k.IsUnbind() {
		kind = EventUnbindRequested
	}
	return append(out, Event{Kind: kind, CallID: k.ID, Opaque: !k.Readable, Handle: k.Handle, Security: k.Security, Call: k}), nil
}

// gather puts the fragments of a small stub together. The result is valid
// until the next fragment of the call.
func (k *Call) gather(part []byte, first, last bool) (stub []byte, whole bool, err error) {
	if first && last {
		return part, true, nil
	}
	if first {
		k.stub = k.stub[:0]
	}
	if len(k.stub)+len(part) > MaxFollowedStub {
		return nil, false, Errorf(ClassLimit, "stub", 24, "%s of more than %d bytes", nspi.OpnumName(k.Opnum), MaxFollowedStub)
	}
	k.stub = append(k.stub, part...)
	return k.stub, last, nil
}

// readRequest reads the stub where it can be read. A stub that cannot be
// understood is the server's to judge: the call is followed all the same.
func (k *Call) readRequest(stub []byte, o Order) {
	syntax, ok := k.Context.NSPISyntax()
	if !ok || k.Sealed() {
		return
	}
	if k.IsUnbind() {
		if u, err := nspi.ParseUnbindRequest(stub, syntax, o); err == nil {
			k.Handle, k.Readable = u.Handle, true
		}
		return
	}
	if b, err := nspi.ParseBindRequest(stub, syntax, o); err == nil {
		k.Bind, k.Readable = b, true
	}
}

// response follows one fragment of a response.
func (c *Conversation) response(p *PDU, out []Event) ([]Event, error) {
	if p.Err != nil {
		return out, p.Err
	}
	r := &p.Response
	if err := c.responseFragment(r); err != nil {
		return out, err
	}
	k := c.findCall(r.CallID)
	c.last = k
	if k == nil { // a call that is not followed, or was never made
		if r.Last() {
			c.others.end(r.CallID)
		}
		return out, nil
	}
	if !k.complete && !c.opts.FollowAll {
		return out, Errorf(ClassState, "early_response", 12, "a response to call %d before its last fragment", k.ID)
	}
	if !k.bare {
		out = k.proveSecurity(out)
	}
	k.respLen += len(r.Stub)
	if k.IsBind() || k.IsUnbind() {
		stub, whole, err := k.gather(r.Stub, r.First(), r.Last())
		if err != nil {
			return out, err
		}
		if whole {
			e := k.answered(stub, r.Order(), k.Level >= LevelPrivacy && !p.Opened)
			if k.bare && k.IsBind() && e.Granted {
				out = k.proveSecurity(out)
			}
			out = append(out, e)
		}
	}
	if r.Last() {
		c.forget(k)
	}
	return out, nil
}

// proveSecurity notes that the server carried out a call of a context whose
// handshake it has not answered otherwise: raw NTLM ends with an auth3, which
// has no answer. A request without a verifier a server may as well carry out as
// nobody's, if it did not believe the auth3 (Samba does); only that it grants
// NspiBind, for which nobody is not enough, says that it did.
func (k *Call) proveSecurity(out []Event) []Event {
	if s := k.Security; k.claim != 0 && k.claim == s.claim && s.state == securityClaimed && !s.contested {
		s.state = securityAccepted
		return append(out, Event{Kind: EventAuthenticated, CallID: k.ID, Security: s})
	}
	return out
}

// answered reads the response to NspiBind or NspiUnbind.
func (k *Call) answered(stub []byte, o Order, sealed bool) Event {
	e := Event{Kind: EventBindAnswered, CallID: k.ID, Security: k.Security, Call: k}
	if k.IsUnbind() {
		e.Kind, e.Handle = EventUnbindAnswered, k.Handle
	}
	syntax, ok := k.Context.NSPISyntax()
	if !ok || sealed {
		e.Opaque = true
		e.Granted = ok && k.grantedByLength(syntax)
		return e
	}
	if k.IsUnbind() {
		u, err := nspi.ParseUnbindResponse(stub, syntax, o)
		e.Code = u.Code
		e.Granted = err == nil && u.Code == nspi.UnbindSuccess
		return e
	}
	b, err := nspi.ParseBindResponse(stub, syntax, o)
	e.Code, e.Handle = b.Code, b.Handle
	e.Granted = err == nil && b.Code == nspi.Success && !b.Handle.IsZero()
	return e
}

// grantedByLength decides from stub lengths alone (sealed stubs). What they do
// not tell counts as granted: a client chooses the length of its request.
func (k *Call) grantedByLength(s nspi.Syntax) bool {
	if k.IsUnbind() {
		return k.respLen == nspi.UnbindSize
	}
	return nspi.ClassifyBindAnswer(k.reqLen, k.respLen, s) != nspi.Failed
}

// fault follows a fault. It ends its call, or the handshake that it answers.
func (c *Conversation) fault(p *PDU, out []Event) ([]Event, error) {
	f := Fault{Header: p.Header}
	if err := f.parseBody(p.Raw); err != nil {
		return out, err
	}
	c.overtaken(f.CallID)
	k := c.findCall(f.CallID)
	c.last = k
	if k == nil {
		if hs, ok := c.takeHandshake(f.CallID, PTypeBind, PTypeAlterContext); ok {
			c.refused(&hs)
		} else {
			c.others.end(f.CallID)
		}
		return out, nil
	}
	c.forget(k)
	e := Event{CallID: k.ID, Fault: f.Status, Security: k.Security, Call: k, Handle: k.Handle}
	switch {
	case k.IsBind():
		e.Kind = EventBindAnswered
	case k.IsUnbind():
		e.Kind = EventUnbindAnswered
	default:
		return out, nil
	}
	return append(out, e), nil
}

// abandoned follows a cancel or an orphaned PDU.
func (c *Conversation) abandoned(p *PDU, out []Event) ([]Event, error) {
	if p.Type == PTypeOrphaned {
		c.orphaned(p.CallID)
	}
	k := c.findCall(p.CallID)
	c.last = k
	if k == nil || (!k.IsBind() && !k.IsUnbind()) {
		return out, nil
	}
	return append(out, Event{Kind: EventCallAbandoned, CallID: p.CallID, Security: k.Security, Call: k}), nil
}

// ClaimStands reports whether the call was made under the claim that its
// security context still makes.
func (k *Call) ClaimStands() bool {
	return k.Security != nil && k.claim != 0 && k.claim == k.Security.claim
}

// Calls returns the calls that are followed and wait for an answer, until the
// next PDU.
func (c *Conversation) Calls() []*Call { return c.calls }

func (c *Conversation) findCall(id uint32) *Call {
	for _, k := range c.calls {
		if k.ID == id {
			return k
		}
	}
	return nil
}

func (c *Conversation) forget(k *Call) {
	for i := range c.calls {
		if c.calls[i] == k {
			last := len(c.calls) - 1
			c.calls[i], c.calls[last] = c.calls[last], nil
			c.calls = c.calls[:last]
			break
		}
	}
	if len(c.calls) == 0 {
		c.calls = nil
	}
}

// Withdraw forgets a call whose request is not forwarded to the server.
func (c *Conversation) Withdraw(k *Call) { c.forget(k) }

// ambiguous forgets a call that proves or maps something, when another one is
// made under its id: an answer could be either's. A bind or unbind is kept, and
// [Conversation.MayHideBind] does not let the other call pass.
func (c *Conversation) ambiguous(k *Call) {
	if !k.IsBind() && !k.IsUnbind() {
		c.forget(k)
		c.others.begin(k.ID)
	}
}

// MayHideBind reports whether the PDU that ClientPDU refused just now may be an
// NspiBind in anybody's reading, or shares its call id with another PDU so that
// the answer to an NspiBind or NspiUnbind could be taken for the other's. Such a
// PDU must not reach the server.
func (c *Conversation) MayHideBind(p *PDU) bool {
	if c.hidden {
		return true
	}
	if k := c.findCall(p.CallID); k.IsBind() || k.IsUnbind() {
		return true
	}
	if p.Type != PTypeRequest {
		return false
	}
	if len(p.Raw) < requestFixed {
		return true
	}
	contextID, opnum := p.Order().Uint16(p.Raw[20:]), p.Order().Uint16(p.Raw[22:])
	return opnum == nspi.OpnumBind && c.mayBeNSPI(contextID)
}

// requestFixed is the size of a request up to its opnum.
const requestFixed = 24

// mayBeNSPI reports whether the context is, or is about to be, an address book one.
func (c *Conversation) mayBeNSPI(contextID uint16) bool {
	if c.contextByID(contextID).IsNSPI() {
		return true
	}
	for _, hs := range c.handshakes {
		if hs.doubt != nil {
			return true
		}
		for _, p := range hs.proposals {
			if p.id == contextID && p.abstract.UUID == nspi.Interface.UUID {
				return true
			}
		}
	}
	return false
}
