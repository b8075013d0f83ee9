package rpcparse

import (
	"math/bits"
	"slices"

	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// MaxFragmented is how many requests of one connection may be between their
// first and last fragment. A client should finish one before it begins the
// next (MS-RPCE 3.3.1.5.8), but servers take several with concurrent
// multiplexing.
const MaxFragmented = 64

// fragmented is what the later fragments of a request or response must repeat
// of the first (MS-RPCE 2.2.2.11, 3.3.1.5.8). Servers disagree about which
// fragment counts when they differ, so a difference is an error.
type fragmented struct {
	ended     bool // answered by a fault or orphaned: the client may stop in the middle
	object    bool
	hasAuth   bool
	bind      bool // some fragment says NspiBind
	nspi      bool // some fragment's context may be an address book's
	drep      Drep
	authType  AuthType
	authLevel AuthLevel
	authID    uint32
	callID    uint32
	contextID uint16
	opnum     uint16
}

func firstFragment(h *Header, contextID, opnum uint16, v *Verifier, hasAuth bool) fragmented {
	return fragmented{
		object: h.Flags&FlagObjectUUID != 0, hasAuth: hasAuth, drep: h.Drep,
		authType: v.Type, authLevel: v.Level, authID: v.ContextID,
		callID: h.CallID, contextID: contextID, opnum: opnum,
	}
}

// later checks what requests and responses have in common.
func (f *fragmented) later(h *Header, contextID uint16, v *Verifier, hasAuth bool) error {
	switch {
	case f.contextID != contextID:
		return Errorf(ClassInvalid, "fragment_context_id", 20, "%d, the first fragment has %d", contextID, f.contextID)
	case f.drep != h.Drep:
		return Errorf(ClassInvalid, "fragment_drep", 4, "%x, the first fragment has %x", h.Drep, f.drep)
	case f.hasAuth != hasAuth:
		return Errorf(ClassAuth, "fragment_verifier", 10, "a verifier on some fragments only")
	case hasAuth && (f.authType != v.Type || f.authLevel != v.Level || f.authID != v.ContextID):
		return Errorf(ClassAuth, "fragment_verifier", v.Offset, "type, level or context id differ from the first fragment")
	}
	return nil
}

// laterRequest checks a later fragment of a request.
func (f *fragmented) laterRequest(r *Request) error {
	if f.opnum != r.Opnum {
		return Errorf(ClassInvalid, "fragment_opnum", 22, "%d, the first fragment has %d", r.Opnum, f.opnum)
	}
	if f.object != r.HasObject {
		return Errorf(ClassInvalid, "fragment_object", 3, "the object UUID differs from the first fragment")
	}
	return f.later(&r.Header, r.ContextID, &r.Verifier, r.HasVerifier)
}

// fragment checks one PDU of a request against the requests in progress.
func (c *Conversation) fragment(r *Request) error {
	if r.First() && r.Last() && len(c.requests) == 0 {
		return nil // the common case
	}
	i := c.inProgress(r.CallID)
	if r.First() {
		return c.beginFragments(r, i)
	}
	if i < 0 && c.opts.MidStream {
		return nil // the first one was not seen
	}
	if i < 0 {
		return Errorf(ClassState, "fragment_without_first", 3, "a later fragment of call %d, whose first fragment is missing", r.CallID)
	}
	f := &c.requests[i]
	c.readings(f, r)
	err := f.laterRequest(r)
	c.hidden = err != nil && f.bind && f.nspi
	if r.Last() {
		c.endFragments(i)
	}
	return err
}

func (c *Conversation) beginFragments(r *Request, i int) error {
	if i >= 0 && !c.requests[i].ended && !c.opts.MidStream {
		return Errorf(ClassState, "fragment_first_twice", 3, "call %d begins again before it ended", r.CallID)
	}
	if i >= 0 {
		c.endFragments(i)
	}
	if r.Last() {
		return nil
	}
	if len(c.requests) >= MaxFragmented {
		c.requests = slices.DeleteFunc(c.requests, func(f fragmented) bool { return f.ended })
	}
	if len(c.requests) >= MaxFragmented {
		return Errorf(ClassLimit, "fragmented_calls", 3, "more than %d requests between their first and last fragment", MaxFragmented)
	}
	f := firstFragment(&r.Header, r.ContextID, r.Opnum, &r.Verifier, r.HasVerifier)
	c.readings(&f, r)
	c.requests = append(c.requests, f)
	return nil
}

// readings notes what a server could take the call for that takes the context
// from one fragment, the operation from another, or the byte order of the
// first for all.
func (c *Conversation) readings(f *fragmented, r *Request) {
	f.bind = f.bind || r.Opnum == nspi.OpnumBind
	f.nspi = f.nspi || c.mayBeNSPI(r.ContextID) || c.mayBeNSPI(f.contextID) ||
		(f.drep != r.Drep && c.mayBeNSPI(bits.ReverseBytes16(r.ContextID)))
}

// inProgress returns the index of a request between its fragments, or -1.
func (c *Conversation) inProgress(callID uint32) int {
	for i := range c.requests {
		if c.requests[i].callID == callID {
			return i
		}
	}
	return -1
}

func (c *Conversation) endFragments(i int) {
	last := len(c.requests) - 1
	c.requests[i] = c.requests[last]
	c.requests = c.requests[:last]
	if last == 0 {
		c.requests = nil // an idle connection keeps its state and nothing else
	}
}

// overtaken notes that a fault has ended a call: the rest of its request may
// not come any more, and the rest of its response will not. A response that
// the client has given up ends with the next PDU of another call.
func (c *Conversation) overtaken(callID uint32) {
	if i := c.inProgress(callID); i >= 0 {
		c.requests[i].ended = true
	}
	if f := &c.responseInProgress; f.callID == callID || f.ended {
		c.responding = false
	}
}

// orphaned notes that the client has given up a call. The server may still
// send the rest of its response.
func (c *Conversation) orphaned(callID uint32) {
	if i := c.inProgress(callID); i >= 0 {
		c.requests[i].ended = true
	}
	if c.responding && c.responseInProgress.callID == callID {
		c.responseInProgress.ended = true
	}
}

// responseFragment checks one PDU of a response. Fragments of different calls
// should not be interleaved; where they are, only the newest is checked.
func (c *Conversation) responseFragment(r *Response) error {
	f := &c.responseInProgress
	if r.First() {
		if c.responding && f.callID != r.CallID && r.Last() && !f.ended {
			return nil // a whole response between the fragments of another
		}
		*f = firstFragment(&r.Header, r.ContextID, 0, &r.Verifier, r.HasVerifier)
		c.responding = !r.Last()
		return nil
	}
	if !c.responding || f.callID != r.CallID {
		return nil
	}
	c.responding = !r.Last()
	return f.later(&r.Header, r.ContextID, &r.Verifier, r.HasVerifier)
}

// Responding reports whether the server is between two fragments of a
// response, so that another PDU to the client must wait.
func (c *Conversation) Responding() bool { return c.responding }
