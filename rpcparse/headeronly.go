package rpcparse

// headerOnly is the layout of the PDU types without a body: shutdown, co_cancel
// and orphaned. Padding and a verifier may follow the header.
type headerOnly struct {
	Header
	Rest        []byte // 16: usually empty
	Verifier    Verifier
	HasVerifier bool
}

func (x *headerOnly) parse(pdu []byte, t PType) error {
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

func (x headerOnly) size() int { return HeaderSize + len(x.Rest) + sizeOf(x.Verifier, x.HasVerifier) }

func appendHeaderOnly(dst []byte, x headerOnly, t PType) ([]byte, error) {
	dst, err := beginPDU(dst, x.Header, t, x.size(), x.Verifier, x.HasVerifier)
	if err != nil {
		return dst, err
	}
	dst = append(dst, x.Rest...)
	return appendVerifier(dst, x.Order(), x.Verifier, x.HasVerifier), nil
}
