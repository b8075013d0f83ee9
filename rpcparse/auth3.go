package rpcparse

// auth3FixedSize is where the trailer of an auth3 starts.
const auth3FixedSize = 20

// Auth3 is the last leg of an authentication exchange (MS-RPCE 2.2.2.5,
// rpc_auth_3). It is never answered: a bad token shows in the answer to the
// first request that uses the security context.
type Auth3 struct {
	Header
	Pad         [4]byte // 16: arbitrary
	Verifier    Verifier
	HasVerifier bool // always, if parsed
}

// ParseAuth3 reads exactly one auth3. It does not allocate.
func ParseAuth3(pdu []byte) (x Auth3, err error) {
	if err := x.parse(pdu); err != nil {
		return Auth3{}, err
	}
	return x, nil
}

func (x *Auth3) parse(pdu []byte) error {
	if err := x.Header.parse(pdu); err != nil {
		return err
	}
	return x.parseBody(pdu)
}

// parseBody reads the PDU behind its header, which x already has.
func (x *Auth3) parseBody(pdu []byte) error {
	if err := x.check(pdu, PTypeAuth3); err != nil {
		return err
	}
	if x.AuthLength == 0 {
		return auth3WithoutToken()
	}
	if _, err := x.Verifier.split(pdu, x.AuthLength, orderOf(pdu[4]), auth3FixedSize); err != nil {
		return err
	}
	x.HasVerifier = true
	x.Pad = [4]byte(pdu[16:20])
	return nil
}

// Len returns the number of bytes that AppendAuth3 writes.
func (x Auth3) Len() int { return auth3FixedSize + sizeOf(x.Verifier, x.HasVerifier) }

// AppendAuth3 appends x, which must have a verifier.
func AppendAuth3(dst []byte, x Auth3) ([]byte, error) {
	if !x.HasVerifier {
		return dst, auth3WithoutToken()
	}
	dst, err := beginPDU(dst, x.Header, PTypeAuth3, x.Len(), x.Verifier, true)
	if err != nil {
		return dst, err
	}
	dst = append(dst, x.Pad[:]...)
	return appendVerifier(dst, x.Order(), x.Verifier, true), nil
}

func auth3WithoutToken() error {
	return Errorf(ClassInvalid, "auth_length", 10, "0, an auth3 is nothing but its token")
}
