package rpcparse

import "github.com/nspiproxy/nspiproxy/rpcparse/nspi"

// maxPendingBinds is how many binds and alter_contexts may wait for their
// answers at once. Clients send one leg at a time (MS-RPCE 3.3.1.5.2.1).
const maxPendingBinds = 16

// pendingBind is a bind or alter_context that waits for its answer.
type pendingBind struct {
	callID        uint32
	ptype         PType
	headerSign    bool
	proposals     []proposal
	security      *SecurityContext // that its token belongs to, or nil
	beganSecurity bool             // security did not exist before
	claim         uint32           // what its token presented, see SecurityContext.claims
	err           error            // why it was not understood
}

// offers reports whether it proposes the presentation context, under any
// interface that is followed.
func (b *pendingBind) offers(contextID uint16) bool {
	for _, p := range b.proposals {
		if p.id == contextID {
			return true
		}
	}
	return false
}

// mayOfferNSPI reports whether the presentation context may become an address
// book's by it. One that was not understood may offer anything.
func (b *pendingBind) mayOfferNSPI(contextID uint16) bool {
	if b.err != nil {
		return true
	}
	for _, p := range b.proposals {
		if p.id == contextID && p.abstract.UUID == nspi.Interface.UUID {
			return true
		}
	}
	return false
}

// offersNSPI reports whether it proposes the address book under any id.
func (b *pendingBind) offersNSPI() bool {
	for _, p := range b.proposals {
		if p.abstract.UUID == nspi.Interface.UUID {
			return true
		}
	}
	return false
}

// pendingBinds are the binds and alter_contexts of one connection that wait for
// their answers, the oldest first. An empty list takes no memory.
type pendingBinds []pendingBind

// hasBind reports whether one of them is a bind.
func (t pendingBinds) hasBind() bool {
	for i := range t {
		if t[i].ptype == PTypeBind {
			return true
		}
	}
	return false
}

// forgetUnanswered makes room for a bind or alter_context where the answer to an
// earlier one may have been missed: it drops one of the same call id and type,
// and the oldest one of too many.
func (t *pendingBinds) forgetUnanswered(callID uint32, ptype PType) {
	t.take(callID, ptype)
	if len(*t) >= maxPendingBinds {
		*t = (*t)[1:]
	}
}

// take removes and returns the oldest one of that call id and one of the types.
func (t *pendingBinds) take(callID uint32, ptypes ...PType) (pendingBind, bool) {
	for i, b := range *t {
		if b.callID != callID {
			continue
		}
		for _, ptype := range ptypes {
			if b.ptype == ptype {
				*t = append((*t)[:i], (*t)[i+1:]...)
				if len(*t) == 0 {
					*t = nil
				}
				return b, true
			}
		}
	}
	return pendingBind{}, false
}
