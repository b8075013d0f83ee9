package rpcparse

// CoCancel asks the server to cancel a call (C706 12.6.4.6). The call may
// still execute: only its answer or the end of the connection shows whether it did.
type CoCancel struct {
	Header
	Rest        []byte // 16: usually empty
	Verifier    Verifier
	HasVerifier bool
}

// ParseCoCancel reads exactly one co_cancel. It does not allocate.
func ParseCoCancel(pdu []byte) (CoCancel, error) {
	var x headerOnly
	if err := x.parse(pdu, PTypeCoCancel); err != nil {
		return CoCancel{}, err
	}
	return CoCancel(x), nil
}

// Len returns the number of bytes that AppendCoCancel writes.
func (x CoCancel) Len() int { return headerOnly(x).size() }

// AppendCoCancel appends x.
func AppendCoCancel(dst []byte, x CoCancel) ([]byte, error) {
	return appendHeaderOnly(dst, headerOnly(x), PTypeCoCancel)
}
