package rpcparse

import "github.com/nspiproxy/nspiproxy/rpcparse/rfri"

// IsReferral reports whether the context leads to the referral interface.
func (p *PresentationContext) IsReferral() bool {
	return p != nil && p.Abstract.UUID == rfri.Interface.UUID
}

// Refers reports whether the answer of the call names a server for its client to
// use: RfrGetNewDSA or RfrGetFQDNFromServerDN.
func (k *Call) Refers() bool { return k != nil && k.Context.IsReferral() && refers(k.Opnum) }

func refers(opnum uint16) bool {
	return opnum == rfri.OpnumGetNewDSA || opnum == rfri.OpnumGetFQDNFromServerDN
}
