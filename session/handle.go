package session

// Handle is an NSPI context handle as it is on the wire: 20 opaque bytes,
// unique within one association only (MS-RPCE 3.3.1.4.1).
type Handle [20]byte

// IsZero reports whether h is the NULL handle, which names no session.
func (h Handle) IsZero() bool { return h == Handle{} }
