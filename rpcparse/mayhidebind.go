package rpcparse

import "github.com/nspiproxy/nspiproxy/rpcparse/nspi"

// MayHideBind reports whether the PDU that ClientPDU refused just now could be
// taken for an NspiBind by some server, or shares its call id with another PDU so
// that the answer to an NspiBind or NspiUnbind could be taken for the other's.
// Such a PDU must not reach the server.
func (c *Conversation) MayHideBind(p *PDU) bool {
	if c.mayHideBind || c.calls.find(p.CallID).changesSessions() {
		return true
	}
	if p.Type != PTypeRequest {
		return false
	}
	if len(p.Raw) < bodyStart(PTypeRequest, 0) {
		return true
	}
	contextID, opnum := p.Order().Uint16(p.Raw[20:]), p.Order().Uint16(p.Raw[22:])
	return opnum == nspi.OpnumBind && c.mayBeNSPI(contextID)
}

// mayBeNSPI reports whether the context is, or is about to be, an address book one.
func (c *Conversation) mayBeNSPI(contextID uint16) bool {
	if c.contexts.find(contextID).IsNSPI() {
		return true
	}
	for i := range c.binds {
		if c.binds[i].mayOfferNSPI(contextID) {
			return true
		}
	}
	return false
}
