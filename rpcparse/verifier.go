package rpcparse

// VerifierSize is the size of the security trailer before the token, in bytes.
const VerifierSize = 8

// Verifier is the end of a PDU whose auth_length is not 0: padding, the 8-byte
// security trailer, the token (MS-RPCE 2.2.2.11). It is found from the end of
// the PDU.
type Verifier struct {
	Type      AuthType  // +0
	Level     AuthLevel // +1
	PadLength uint8     // +2: bytes of padding between body and trailer; part of the protected body
	Reserved  uint8     // +3: ignored
	ContextID uint32    // +4: names the security context, chosen by the client
	Token     []byte    // +8: auth_length bytes of the PDU
	Offset    int       // of the trailer from the start of the PDU; ignored when appending
}

// handshakeBody is where the body of a handshake PDU starts as far as its
// auth_pad_length is bounded. Handshake PDUs are not padded and servers find
// the trailer without it, but they do refuse one that reaches further back
// (Samba, tested there against Windows).
const handshakeBody = 24

// PadTo returns how many bytes of padding make n bytes a multiple of align.
// Windows and Samba pad requests and responses to 16, Impacket to 4;
// handshake PDUs need none.
func PadTo(n, align int) uint8 {
	if align <= 1 || n < 0 {
		return 0
	}
	return uint8((align - n%align) % align)
}

// size returns the bytes of padding, trailer and token.
func (v Verifier) size() int { return int(v.PadLength) + VerifierSize + len(v.Token) }

// sizeOf is v.size if there is a verifier.
func sizeOf(v Verifier, has bool) int {
	if !has {
		return 0
	}
	return v.size()
}

// trailerSize returns the bytes of trailer and token that auth_length promises.
func trailerSize(authLength uint16) int {
	if authLength == 0 {
		return 0
	}
	return VerifierSize + int(authLength)
}

// split reads the end of the PDU whose body starts at bodyStart into v, if it
// has one, and returns where the body ends. The header must have been checked
// and pdu be exactly one PDU.
func (v *Verifier) split(pdu []byte, authLength uint16, o Order, bodyStart int) (bodyEnd int, err error) {
	if authLength == 0 {
		return len(pdu), nil
	}
	e := len(pdu) - int(authLength) - VerifierSize
	if e < bodyStart {
		return 0, Errorf(ClassInvalid, "auth_length", 10, "trailer at %d overlaps the body that starts at %d", e, bodyStart)
	}
	t := pdu[e:]
	bodyEnd = e - int(t[2])
	if bodyEnd < bodyStart {
		return 0, Errorf(ClassInvalid, "auth_pad_length", e+2, "%d, but the body has %d bytes", t[2], e-bodyStart)
	}
	v.Type, v.Level, v.PadLength, v.Reserved = AuthType(t[0]), AuthLevel(t[1]), t[2], t[3]
	v.ContextID = o.Uint32(t[4:])
	v.Token = t[VerifierSize:len(t):len(t)]
	v.Offset = e
	return bodyEnd, nil
}

// appendVerifier appends zero padding, trailer and token.
func appendVerifier(dst []byte, o Order, v Verifier, has bool) []byte {
	if !has {
		return dst
	}
	dst = appendZeros(dst, int(v.PadLength))
	dst = append(dst, byte(v.Type), byte(v.Level), v.PadLength, v.Reserved)
	dst = o.AppendUint32(dst, v.ContextID)
	return append(dst, v.Token...)
}
