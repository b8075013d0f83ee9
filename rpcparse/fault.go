package rpcparse

// FaultExtended is the bit of Fault.FaultFlags that announces extended error
// information (MS-RPCE 2.2.2.8).
const FaultExtended = 0x01

// Fault is the failure of a call (C706 12.6.4.7, MS-RPCE 2.2.2.8). It carries
// no verifier even on sealed connections; one that is there is parsed all the same.
type Fault struct {
	Header
	AllocHint   uint32 // 16: 32 from Windows, 24 from Samba, 0 from old systems; never validated
	ContextID   uint16 // 20: p_cont_id
	CancelCount uint8  // 22
	FaultFlags  uint8  // 23: FaultExtended
	Status      uint32 // 24: see StatusName; 4 reserved bytes follow
	Extended    []byte // 32: extended error information, usually empty
	Verifier    Verifier
	HasVerifier bool
}

// ParseFault reads exactly one fault. It does not allocate.
func ParseFault(pdu []byte) (x Fault, err error) {
	if err := x.parse(pdu); err != nil {
		return Fault{}, err
	}
	return x, nil
}

func (x *Fault) parse(pdu []byte) error {
	if err := x.Header.parse(pdu); err != nil {
		return err
	}
	return x.parseBody(pdu)
}

// parseBody reads the PDU behind its header, which x already has.
func (x *Fault) parseBody(pdu []byte) error {
	if err := x.check(pdu, PTypeFault); err != nil {
		return err
	}
	o, start := orderOf(pdu[4]), bodyStart(PTypeFault, x.Flags)
	end, err := x.Verifier.split(pdu, x.AuthLength, o, start)
	if err != nil {
		return err
	}
	x.HasVerifier = x.AuthLength > 0
	x.AllocHint = o.Uint32(pdu[16:])
	x.ContextID = o.Uint16(pdu[20:])
	x.CancelCount, x.FaultFlags = pdu[22], pdu[23]
	x.Status = o.Uint32(pdu[24:])
	x.Extended = pdu[start:end:end]
	return nil
}

// Len returns the number of bytes that AppendFault writes.
func (x Fault) Len() int {
	return 32 + len(x.Extended) + sizeOf(x.Verifier, x.HasVerifier)
}

// AppendFault appends x.
func AppendFault(dst []byte, x Fault) ([]byte, error) {
	dst, err := beginPDU(dst, x.Header, PTypeFault, x.Len(), x.Verifier, x.HasVerifier)
	if err != nil {
		return dst, err
	}
	o := x.Order()
	dst = o.AppendUint32(dst, x.AllocHint)
	dst = o.AppendUint16(dst, x.ContextID)
	dst = append(dst, x.CancelCount, x.FaultFlags)
	dst = o.AppendUint32(dst, x.Status)
	dst = appendZeros(dst, 4)
	dst = append(dst, x.Extended...)
	return appendVerifier(dst, o, x.Verifier, x.HasVerifier), nil
}
