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
func ParseResponse(pdu []byte) (Response, error) {
	h, err := openPDU(pdu, PTypeResponse)
	if err != nil {
		return Response{}, err
	}
	start := h.bodyStart()
	v, end, err := splitVerifier(pdu, h, start)
	if err != nil {
		return Response{}, err
	}
	o := h.Order()
	return Response{
		Header:      h,
		AllocHint:   o.Uint32(pdu[16:]),
		ContextID:   o.Uint16(pdu[20:]),
		CancelCount: pdu[22],
		Reserved:    pdu[23],
		Stub:        pdu[start:end:end],
		StubOffset:  start,
		Verifier:    v,
		HasVerifier: h.AuthLength > 0,
	}, nil
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
