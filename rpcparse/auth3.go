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
func ParseAuth3(pdu []byte) (Auth3, error) {
	h, err := openPDU(pdu, PTypeAuth3)
	if err != nil {
		return Auth3{}, err
	}
	if h.AuthLength == 0 {
		return Auth3{}, auth3WithoutToken()
	}
	v, _, err := splitVerifier(pdu, h, auth3FixedSize)
	if err != nil {
		return Auth3{}, err
	}
	return Auth3{Header: h, Pad: [4]byte(pdu[16:20]), Verifier: v, HasVerifier: true}, nil
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
