package spnego

// AppendMechTypes appends the DER SEQUENCE of mechs, the octets that a
// mechListMIC signs (RFC 4178 section 5).
func AppendMechTypes(dst []byte, mechs []OID) []byte {
	var list []byte
	for _, m := range mechs {
		list = appendElement(list, tagOID, []byte(m))
	}
	return appendElement(dst, tagSequence, list)
}

// AppendInit appends t as a GSS-framed negTokenInit: MechTypes, and MechToken
// and ListMIC unless they are nil.
func AppendInit(dst []byte, t Token) []byte {
	seq := appendElement(nil, tagContext0, AppendMechTypes(nil, t.MechTypes))
	seq = appendOctets(seq, tagContext2, t.MechToken)
	seq = appendOctets(seq, tagContext3, t.ListMIC)
	frame := appendElement(nil, tagOID, []byte(OIDSPNEGO))
	frame = appendElement(frame, tagContext0, appendElement(nil, tagSequence, seq))
	return appendElement(dst, tagApplication, frame)
}

// AppendResp appends t as a negTokenResp: State if HasState, and
// SupportedMech, MechToken and ListMIC unless they are empty or nil.
func AppendResp(dst []byte, t Token) []byte {
	var seq []byte
	if t.HasState {
		seq = appendElement(seq, tagContext0, []byte{tagEnumerated, 1, byte(t.State)})
	}
	if t.SupportedMech != "" {
		seq = appendElement(seq, tagContext1, appendElement(nil, tagOID, []byte(t.SupportedMech)))
	}
	seq = appendOctets(seq, tagContext2, t.MechToken)
	seq = appendOctets(seq, tagContext3, t.ListMIC)
	return appendElement(dst, tagContext1, appendElement(nil, tagSequence, seq))
}

func appendOctets(dst []byte, tag byte, b []byte) []byte {
	if b == nil {
		return dst
	}
	return appendElement(dst, tag, appendElement(nil, tagOctetString, b))
}
