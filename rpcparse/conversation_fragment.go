package rpcparse

// fragmented is what the later fragments of a request or response must repeat
// of the first (MS-RPCE 2.2.2.11, 3.3.1.5.8). Servers disagree about which
// fragment counts when they differ, so a difference is an error.
type fragmented struct {
	active    bool
	ended     bool // answered by a fault or orphaned: the client may stop in the middle
	object    bool
	hasAuth   bool
	drep      Drep
	authType  AuthType
	authLevel AuthLevel
	authID    uint32
	callID    uint32
	contextID uint16
	opnum     uint16
}

func (f *fragmented) begin(h *Header, contextID, opnum uint16, v *Verifier, hasAuth bool) {
	*f = fragmented{
		active: !h.Last(), object: h.Flags&FlagObjectUUID != 0, hasAuth: hasAuth, drep: h.Drep,
		authType: v.Type, authLevel: v.Level, authID: v.ContextID,
		callID: h.CallID, contextID: contextID, opnum: opnum,
	}
}

// request checks one fragment of a request. A client finishes one request
// before it begins the next.
func (f *fragmented) request(r *Request) error {
	if r.First() {
		if f.active && !f.ended {
			return Errorf(ClassState, "fragments_interleaved", 3, "call %d begins before call %d ended", r.CallID, f.callID)
		}
		f.begin(&r.Header, r.ContextID, r.Opnum, &r.Verifier, r.HasVerifier)
		return nil
	}
	if !f.active || f.callID != r.CallID {
		return Errorf(ClassState, "fragment_without_first", 3, "a later fragment of call %d, whose first fragment is missing", r.CallID)
	}
	if f.opnum != r.Opnum {
		return Errorf(ClassInvalid, "fragment_opnum", 22, "%d, the first fragment has %d", r.Opnum, f.opnum)
	}
	if f.object != r.HasObject {
		return Errorf(ClassInvalid, "fragment_object", 3, "the object UUID differs from the first fragment")
	}
	return f.later(&r.Header, r.ContextID, &r.Verifier, r.HasVerifier)
}

// response checks one fragment of a response. Fragments of different calls
// should not be interleaved; where they are, only the newest is checked.
func (f *fragmented) response(r *Response) error {
	if r.First() {
		f.begin(&r.Header, r.ContextID, 0, &r.Verifier, r.HasVerifier)
		return nil
	}
	if !f.active || f.callID != r.CallID {
		return nil
	}
	return f.later(&r.Header, r.ContextID, &r.Verifier, r.HasVerifier)
}

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
	f.active = !h.Last()
	return nil
}

// faulted notes that the rest of a request may not come any more.
func (f *fragmented) faulted(callID uint32) {
	if f.active && f.callID == callID {
		f.ended = true
	}
}
