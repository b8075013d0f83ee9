package rpcparse

// Orphaned tells the server that the client has lost interest in a call
// (C706 12.6.4.8). As with [CoCancel], the call may still execute.
type Orphaned struct {
	Header
	Rest        []byte // 16: usually empty
	Verifier    Verifier
	HasVerifier bool
}

// ParseOrphaned reads exactly one orphaned. It does not allocate.
func ParseOrphaned(pdu []byte) (Orphaned, error) {
	var x headerOnly
	if err := x.parse(pdu, PTypeOrphaned); err != nil {
		return Orphaned{}, err
	}
	return Orphaned(x), nil
}

// Len returns the number of bytes that AppendOrphaned writes.
func (x Orphaned) Len() int { return headerOnly(x).size() }

// AppendOrphaned appends x.
func AppendOrphaned(dst []byte, x Orphaned) ([]byte, error) {
	return appendHeaderOnly(dst, headerOnly(x), PTypeOrphaned)
}
