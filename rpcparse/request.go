package rpcparse

import "github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"

// Request is one fragment of a call (C706 12.6.4.9, MS-RPCE 2.2.2.6).
type Request struct {
	Header
	AllocHint uint32 // 16: stub bytes still to come, or 0, or a lie; never allocate from it
	ContextID uint16 // 20: p_cont_id, the presentation context
	Opnum     uint16 // 22
	HasObject bool   // flag 0x80
	Object    UUID   // 24, only with HasObject
	// Stub is the fragment's share of the parameters, without the padding of
	// the verifier. The last fragment's may end in a verification
	// trailer (MS-RPCE 2.2.2.13).
	Stub        []byte
	StubOffset  int // 24, or 40 with an object UUID; ignored when appending
	Verifier    Verifier
	HasVerifier bool
}

// ParseRequest reads exactly one request. It does not allocate.
func ParseRequest(pdu []byte) (x Request, err error) {
	if err := x.parse(pdu); err != nil {
		return Request{}, err
	}
	return x, nil
}

func (x *Request) parse(pdu []byte) error {
	if err := x.Header.parse(pdu); err != nil {
		return err
	}
	return x.parseBody(pdu)
}

// parseBody reads the PDU behind its header, which x already has.
func (x *Request) parseBody(pdu []byte) error {
	if err := x.check(pdu, PTypeRequest); err != nil {
		return err
	}
	o, start := orderOf(pdu[4]), bodyStart(PTypeRequest, x.Flags)
	end, err := x.Verifier.split(pdu, x.AuthLength, o, start)
	if err != nil {
		return err
	}
	x.HasVerifier = x.AuthLength > 0
	x.AllocHint = o.Uint32(pdu[16:])
	x.ContextID = o.Uint16(pdu[20:])
	x.Opnum = o.Uint16(pdu[22:])
	if x.Flags.Has(FlagObjectUUID) {
		x.HasObject, x.Object = true, wire.ReadUUID(pdu[24:], o)
	}
	x.Stub, x.StubOffset = pdu[start:end:end], start
	return nil
}

// Len returns the number of bytes that AppendRequest writes.
func (x Request) Len() int {
	n := 24 + len(x.Stub) + sizeOf(x.Verifier, x.HasVerifier)
	if x.HasObject {
		n += wire.UUIDSize
	}
	return n
}

// AppendRequest appends x. The object flag follows HasObject; padding is
// Verifier.PadLength zero bytes (see [PadTo]).
func AppendRequest(dst []byte, x Request) ([]byte, error) {
	h := x.Header
	h.Flags &^= FlagObjectUUID
	if x.HasObject {
		h.Flags |= FlagObjectUUID
	}
	dst, err := beginPDU(dst, h, PTypeRequest, x.Len(), x.Verifier, x.HasVerifier)
	if err != nil {
		return dst, err
	}
	o := h.Order()
	dst = o.AppendUint32(dst, x.AllocHint)
	dst = o.AppendUint16(dst, x.ContextID)
	dst = o.AppendUint16(dst, x.Opnum)
	if x.HasObject {
		dst = x.Object.Append(dst, o)
	}
	dst = append(dst, x.Stub...)
	return appendVerifier(dst, o, x.Verifier, x.HasVerifier), nil
}
