package rpcparse

import (
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/rfri"
	"github.com/nspiproxy/nspiproxy/rpcparse/tower"
)

// PresentationContext is an interface and the transfer syntax in force for it,
// agreed by bind or alter_context under a context id (C706 12.6.3.1). It is
// not changed once made. The methods may be called on nil, a context that is
// not known or not followed.
type PresentationContext struct {
	ID       uint16
	Abstract SyntaxID
	Transfer TransferSyntax
}

// IsNSPI reports whether the context leads to the address book interface. The
// version is not looked at: a server that accepts another one decides on it.
func (p *PresentationContext) IsNSPI() bool {
	return p != nil && p.Abstract.UUID == nspi.Interface.UUID
}

// IsEndpointMapper reports whether the context leads to the endpoint mapper.
func (p *PresentationContext) IsEndpointMapper() bool {
	return p != nil && p.Abstract.UUID == tower.EPMInterface.UUID
}

// IsReferral reports whether the context leads to the referral interface.
func (p *PresentationContext) IsReferral() bool {
	return p != nil && p.Abstract.UUID == rfri.Interface.UUID
}

// NSPISyntax returns the transfer syntax as package nspi names it. ok is false
// when the stubs are in a syntax that this package cannot read.
func (p *PresentationContext) NSPISyntax() (s nspi.Syntax, ok bool) {
	switch p.Transfer {
	case TransferNDR:
		return nspi.NDR, true
	case TransferNDR64:
		return nspi.NDR64, true
	}
	return nspi.NDR, false
}

// opensSession reports whether the operation is NspiBind.
func (p *PresentationContext) opensSession(opnum uint16) bool {
	return opnum == nspi.OpnumBind && p.IsNSPI()
}

// changesSessions reports whether the operation is NspiBind or NspiUnbind.
func (p *PresentationContext) changesSessions(opnum uint16) bool {
	return opnum <= nspi.OpnumUnbind && p.IsNSPI()
}

// mapsEndpoints reports whether the answer of the operation holds towers:
// ept_map or ept_lookup.
func (p *PresentationContext) mapsEndpoints(opnum uint16) bool {
	return (opnum == tower.OpnumMap || opnum == tower.OpnumLookup) && p.IsEndpointMapper()
}

// refers reports whether the answer of the operation names a server for the
// client to use: RfrGetNewDSA or RfrGetFQDNFromServerDN.
func (p *PresentationContext) refers(opnum uint16) bool {
	return (opnum == rfri.OpnumGetNewDSA || opnum == rfri.OpnumGetFQDNFromServerDN) && p.IsReferral()
}

// needsAnswer reports whether the answer of the operation changes which
// sessions exist, or tells the client where to go.
func (p *PresentationContext) needsAnswer(opnum uint16) bool {
	return p.changesSessions(opnum) || p.mapsEndpoints(opnum) || p.refers(opnum)
}
