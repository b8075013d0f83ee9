package rpcparse

// rtsFixedSize is where the commands of an RTS PDU start.
const rtsFixedSize = 20

// RTS controls the channels of RPC over HTTP (MS-RPCH 2.2.3.6). It is always
// little-endian, whole and without verifier. Here it is recognised, no more.
type RTS struct {
	Header
	RTSFlags uint16 // 16: not Header.Flags
	Commands uint16 // 18: how many commands Body holds; not checked
	Body     []byte // 20
}

// ParseRTS reads exactly one RTS PDU. It does not allocate.
func ParseRTS(pdu []byte) (x RTS, err error) {
	if err := x.parse(pdu); err != nil {
		return RTS{}, err
	}
	return x, nil
}

func (x *RTS) parse(pdu []byte) error {
	if err := x.Header.parse(pdu); err != nil {
		return err
	}
	if err := x.check(pdu, PTypeRTS); err != nil {
		return err
	}
	if err := checkRTS(x.Header); err != nil {
		return err
	}
	x.RTSFlags = LittleEndian.Uint16(pdu[16:])
	x.Commands = LittleEndian.Uint16(pdu[18:])
	x.Body = pdu[rtsFixedSize:len(pdu):len(pdu)]
	return nil
}

func checkRTS(h Header) error {
	if h.Order() != LittleEndian {
		return Errorf(ClassInvalid, "drep", 4, "an rts PDU is little-endian")
	}
	if h.AuthLength != 0 {
		return Errorf(ClassInvalid, "auth_length", 10, "%d, an rts PDU has no verifier", h.AuthLength)
	}
	return nil
}

// Len returns the number of bytes that AppendRTS writes.
func (x RTS) Len() int { return rtsFixedSize + len(x.Body) }

// AppendRTS appends x.
func AppendRTS(dst []byte, x RTS) ([]byte, error) {
	h := x.Header
	h.AuthLength = 0
	if err := checkRTS(h); err != nil {
		return dst, err
	}
	dst, err := beginPDU(dst, h, PTypeRTS, x.Len(), Verifier{}, false)
	if err != nil {
		return dst, err
	}
	dst = LittleEndian.AppendUint16(dst, x.RTSFlags)
	dst = LittleEndian.AppendUint16(dst, x.Commands)
	return append(dst, x.Body...), nil
}
