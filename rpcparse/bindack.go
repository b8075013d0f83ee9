package rpcparse

import "math"

// bindAckFixedSize is where the secondary address of a bind_ack starts.
const bindAckFixedSize = 26

// BindAck accepts a bind or alter_context, context by context: bind_ack (C706
// 12.6.4.4) or alter_context_resp (12.6.4.2), which have the same layout.
type BindAck struct {
	Header
	MaxXmitFrag  uint16 // 16: the largest PDU that the server will send
	MaxRecvFrag  uint16 // 18: and take
	AssocGroupID uint32 // 20: the association's name on this server process
	// SecondaryAddress is the server's port in ASCII with its NUL, length
	// before it at 24; empty in alter_context_resp. Clients ignore it.
	SecondaryAddress []byte
	Results          ResultList // their count is at align4(26 + len(SecondaryAddress))
	Verifier         Verifier
	HasVerifier      bool
}

// ParseBindAck reads exactly one bind_ack or alter_context_resp. It does not
// allocate. The results are found by the length of the secondary address,
// never by its content, and the bytes that pad it may be anything.
func ParseBindAck(pdu []byte) (x BindAck, err error) {
	if err := x.parse(pdu); err != nil {
		return BindAck{}, err
	}
	return x, nil
}

func (x *BindAck) parse(pdu []byte) error {
	if err := x.Header.parse(pdu); err != nil {
		return err
	}
	return x.parseBody(pdu)
}

// parseBody reads the PDU behind its header, which x already has.
func (x *BindAck) parseBody(pdu []byte) error {
	if err := x.checkEither(pdu, PTypeBindAck, PTypeAlterContextResp); err != nil {
		return err
	}
	o := orderOf(pdu[4])
	bodyEnd := len(pdu) - trailerSize(x.AuthLength)
	addrEnd := bindAckFixedSize + int(o.Uint16(pdu[24:]))
	results := align4(addrEnd) + 4
	if results > bodyEnd {
		return Errorf(ClassInvalid, "sec_addr_len", 24, "%d leaves no room for results in %d bytes", addrEnd-bindAckFixedSize, bodyEnd)
	}
	n := int(pdu[results-4])
	end := results + n*resultSize
	if end > bodyEnd {
		return Errorf(ClassInvalid, "n_results", results-4, "%d need %d bytes, %d left", n, n*resultSize, bodyEnd-results)
	}
	if _, err := x.Verifier.split(pdu, x.AuthLength, o, handshakeBody); err != nil {
		return err
	}
	x.HasVerifier = x.AuthLength > 0
	x.MaxXmitFrag = o.Uint16(pdu[16:])
	x.MaxRecvFrag = o.Uint16(pdu[18:])
	x.AssocGroupID = o.Uint32(pdu[20:])
	x.SecondaryAddress = pdu[bindAckFixedSize:addrEnd:addrEnd]
	x.Results = ResultList{raw: pdu[results:end:end], order: o}
	return nil
}

// Len returns the number of bytes that AppendBindAck writes.
func (x BindAck) Len() int {
	return align4(bindAckFixedSize+len(x.SecondaryAddress)) + 4 +
		x.Results.Len()*resultSize + sizeOf(x.Verifier, x.HasVerifier)
}

// AppendBindAck appends x as the type that x.Header names, bind_ack or
// alter_context_resp.
func AppendBindAck(dst []byte, x BindAck) ([]byte, error) {
	if x.Type != PTypeBindAck && x.Type != PTypeAlterContextResp {
		return dst, Errorf(ClassInvalid, "ptype", 2, "%s, expected bind_ack or alter_context_resp", x.Type)
	}
	if n := len(x.SecondaryAddress); n > math.MaxUint16 {
		return dst, Errorf(ClassLimit, "sec_addr_len", 24, "%d, at most %d", n, math.MaxUint16)
	}
	if n := x.Results.Len(); n > maxListLength {
		return dst, Errorf(ClassLimit, "n_results", 0, "%d, at most %d", n, maxListLength)
	}
	dst, err := beginPDU(dst, x.Header, x.Type, x.Len(), x.Verifier, x.HasVerifier)
	if err != nil {
		return dst, err
	}
	o := x.Order()
	dst = o.AppendUint16(dst, x.MaxXmitFrag)
	dst = o.AppendUint16(dst, x.MaxRecvFrag)
	dst = o.AppendUint32(dst, x.AssocGroupID)
	dst = o.AppendUint16(dst, uint16(len(x.SecondaryAddress)))
	dst = append(dst, x.SecondaryAddress...)
	dst = appendZeros(dst, int(PadTo(bindAckFixedSize+len(x.SecondaryAddress), 4)))
	dst = append(dst, byte(x.Results.Len()), 0, 0, 0)
	dst = x.Results.append(dst, o)
	return appendVerifier(dst, o, x.Verifier, x.HasVerifier), nil
}
