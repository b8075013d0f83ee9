package rpcparse

// Response is one fragment of a call's result (C706 12.6.4.10, MS-RPCE
// 2.2.2.7).
type Response struct {
	Header
	AllocHint   uint32 // 16: see Request.AllocHint
	ContextID   uint16 // 20: p_cont_id; Windows sends its low 8 bits only, so match by call id
	CancelCount uint8  // 22
	Reserved    uint8  // 23
	Stub        []byte // 24: without the padding of the verifier
	StubOffset  int    // 24; ignored when appending
	Verifier    Verifier
	HasVerifier bool
}

// ParseResponse reads exactly one response. It does not allocate.
func ParseResponse(pdu []byte) (x Response, err error) {
	if err := x.parse(pdu); err != nil {
		return Response{}, err
	}
	return x, nil
}

func (x *Response) parse(pdu []byte) error {
	if err := x.Header.parse(pdu); err != nil {
		return err
	}
	return x.parseBody(pdu)
}

// parseBody reads the PDU behind its header, which x already has.
func (x *Response) parseBody(pdu []byte) error {
	if err := x.check(pdu, PTypeResponse); err != nil {
		return err
	}
	o, start := orderOf(pdu[4]), bodyStart(PTypeResponse, x.Flags)
	end, err := x.Verifier.split(pdu, x.AuthLength, o, start)
	if err != nil {
		return err
	}
	x.HasVerifier = x.AuthLength > 0
	x.AllocHint = o.Uint32(pdu[16:])
	x.ContextID = o.Uint16(pdu[20:])
	x.CancelCount, x.Reserved = pdu[22], pdu[23]
	x.Stub, x.StubOffset = pdu[start:end:end], start
	return nil
}

// Len returns the number of bytes that AppendResponse writes.
func (x Response) Len() int {
	return 24 + len(x.Stub) + sizeOf(x.Verifier, x.HasVerifier)
}

// AppendResponse appends x. Padding is Verifier.PadLength zero bytes.
func AppendResponse(dst []byte, x Response) ([]byte, error) {
	dst, err := beginPDU(dst, x.Header, PTypeResponse, x.Len(), x.Verifier, x.HasVerifier)
	if err != nil {
		return dst, err
	}
	o := x.Order()
	dst = o.AppendUint32(dst, x.AllocHint)
	dst = o.AppendUint16(dst, x.ContextID)
	dst = append(dst, x.CancelCount, x.Reserved)
	dst = append(dst, x.Stub...)
	return appendVerifier(dst, o, x.Verifier, x.HasVerifier), nil
}
