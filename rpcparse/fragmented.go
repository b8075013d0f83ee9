package rpcparse

// fragmented is what the later fragments of a request or response must repeat
// of the first (MS-RPCE 2.2.2.11, 3.3.1.5.8). Servers disagree about which
// fragment counts when they differ, so a difference is an error.
type fragmented struct {
	abandoned bool // answered by a fault or orphaned: its sender may stop in the middle
	object    bool
	hasAuth   bool
	saysBind  bool // requests: some fragment has the opnum of NspiBind
	saysNSPI  bool // requests: the context of some fragment may be an address book's
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

// check compares a later fragment in what requests and responses have in
// common.
func (f *fragmented) check(h *Header, contextID uint16, v *Verifier, hasAuth bool) error {
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

// checkRequest compares a later fragment of a request.
func (f *fragmented) checkRequest(r *Request) error {
	if f.opnum != r.Opnum {
		return Errorf(ClassInvalid, "fragment_opnum", 22, "%d, the first fragment has %d", r.Opnum, f.opnum)
	}
	if f.object != r.HasObject {
		return Errorf(ClassInvalid, "fragment_object", 3, "the object UUID differs from the first fragment")
	}
	return f.check(&r.Header, r.ContextID, &r.Verifier, r.HasVerifier)
}
