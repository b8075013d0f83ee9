package rpcparse

// Shutdown asks the client to close the connection (C706 12.6.4.11).
// Windows servers never send it.
type Shutdown struct {
	Header
	Rest        []byte // 16: usually empty
	Verifier    Verifier
	HasVerifier bool
}

// ParseShutdown reads exactly one shutdown. It does not allocate.
func ParseShutdown(pdu []byte) (Shutdown, error) {
	var x headerOnly
	if err := x.parse(pdu, PTypeShutdown); err != nil {
		return Shutdown{}, err
	}
	return Shutdown(x), nil
}

// Len returns the number of bytes that AppendShutdown writes.
func (x Shutdown) Len() int { return headerOnly(x).size() }

// AppendShutdown appends x.
func AppendShutdown(dst []byte, x Shutdown) ([]byte, error) {
	return appendHeaderOnly(dst, headerOnly(x), PTypeShutdown)
}
