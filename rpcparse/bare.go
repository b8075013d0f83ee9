package rpcparse

// bare is the PDU types that are a header only, though padding and a verifier
// may follow it: shutdown, co_cancel and orphaned.
type bare struct {
	Header
	Rest        []byte // 16: usually empty
	Verifier    Verifier
	HasVerifier bool
}

func parseBare(pdu []byte, t PType) (bare, error) {
	h, err := openPDU(pdu, t)
	if err != nil {
		return bare{}, err
	}
	v, end, err := splitVerifier(pdu, h, HeaderSize)
	if err != nil {
		return bare{}, err
	}
	return bare{Header: h, Rest: pdu[HeaderSize:end:end], Verifier: v, HasVerifier: h.AuthLength > 0}, nil
}

func (x bare) size() int { return HeaderSize + len(x.Rest) + sizeOf(x.Verifier, x.HasVerifier) }

func appendBare(dst []byte, x bare, t PType) ([]byte, error) {
	dst, err := beginPDU(dst, x.Header, t, x.size(), x.Verifier, x.HasVerifier)
	if err != nil {
		return dst, err
	}
	dst = append(dst, x.Rest...)
	return appendVerifier(dst, x.Order(), x.Verifier, x.HasVerifier), nil
}
