package rpcparse

// bare is the PDU types that are a header only, though padding and a verifier
// may follow it: shutdown, co_cancel and orphaned.
type bare struct {
	Header
	Rest        []byte // 16: usually empty
	Verifier    Verifier
	HasVerifier bool
}

func (x *bare) parse(pdu []byte, t PType) error {
	if err := x.Header.parse(pdu); err != nil {
		return err
	}
	if err := x.check(pdu, t); err != nil {
		return err
	}
	end, err := x.Verifier.split(pdu, x.AuthLength, orderOf(pdu[4]), HeaderSize)
	if err != nil {
		return err
	}
	x.HasVerifier = x.AuthLength > 0
	x.Rest = pdu[HeaderSize:end:end]
	return nil
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
