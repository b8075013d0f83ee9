package rpcparse

import "github.com/nspiproxy/nspiproxy/rpcparse/nspi"

// Call is a request that waits for its response. Methods that report what kind
// of call it is may be called on nil.
type Call struct {
	ID       uint32
	Opnum    uint16
	Context  *PresentationContext // nil: not a context that is followed
	Security *SecurityContext     // nil: not authenticated
	Level    AuthLevel            // that protects this call
	// Among are the contexts at level connect that servers may take a request
	// without a verifier for, where there are several. Security is nil then.
	Among    []*SecurityContext
	Bind     nspi.BindRequest // NspiBind, when it could be read
	Readable bool             // the stub of the request could be read
	Handle   nspi.Handle      // NspiUnbind: the handle it names
	Tag      any              // the caller's own, untouched here

	opened      bool   // the request was sealed and has been opened
	hasVerifier bool   // the request has a verifier
	claim       uint32 // of Security, that the answer proves; 0: it proves none
	complete    bool   // the last fragment of the request was seen
	reqLen      int    // bytes of request stub
	respLen     int    // bytes of response stub so far
	stub        []byte // fragments put together, nil for calls of one fragment
}

// IsNSPI reports whether the call is for an address book method.
func (k *Call) IsNSPI() bool { return k != nil && k.Context.IsNSPI() }

// IsBind reports whether the call is NspiBind.
func (k *Call) IsBind() bool { return k != nil && k.Context.opensSession(k.Opnum) }

// IsUnbind reports whether the call is NspiUnbind.
func (k *Call) IsUnbind() bool { return k.changesSessions() && k.Opnum == nspi.OpnumUnbind }

// changesSessions reports whether the call is NspiBind or NspiUnbind.
func (k *Call) changesSessions() bool { return k != nil && k.Context.changesSessions(k.Opnum) }

// MapsEndpoints reports whether the answer of the call holds towers: ept_map
// or ept_lookup.
func (k *Call) MapsEndpoints() bool { return k != nil && k.Context.mapsEndpoints(k.Opnum) }

// Refers reports whether the answer of the call names a server for its client to
// use: RfrGetNewDSA or RfrGetFQDNFromServerDN.
func (k *Call) Refers() bool { return k != nil && k.Context.refers(k.Opnum) }

// Protected reports whether the PDUs of the call are signed or sealed.
func (k *Call) Protected() bool { return k.Level > LevelConnect }

// Sealed reports whether the stub of the request could not be read.
func (k *Call) Sealed() bool { return k.Level >= LevelPrivacy && !k.opened }

// ClaimStands reports whether its security context still presents the user
// that it presented when the call was made.
func (k *Call) ClaimStands() bool {
	return k.Security != nil && k.claim != 0 && k.claim == k.Security.claims
}
