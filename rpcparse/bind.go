package rpcparse

import "github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"

// bindFixedSize is where the context elements of a bind start.
const bindFixedSize = 28

// Bind offers presentation contexts, and a leg of authentication: bind (C706
// 12.6.4.3) or alter_context (12.6.4.1), which have the same layout.
type Bind struct {
	Header
	MaxXmitFrag  uint16 // 16: the largest PDU that the client wants to send
	MaxRecvFrag  uint16 // 18: and to receive
	AssocGroupID uint32 // 20: 0 creates an association, else joins; ignored in alter_context
	Contexts     ContextList
	Verifier     Verifier
	HasVerifier  bool
}

// ParseBind reads exactly one bind or alter_context and checks its whole
// context list. It does not allocate. A list of no contexts is read as such:
// what to answer is the server's affair.
func ParseBind(pdu []byte) (x Bind, err error) {
	if err := x.parse(pdu); err != nil {
		return Bind{}, err
	}
	return x, nil
}

func (x *Bind) parse(pdu []byte) error {
	if err := x.Header.parse(pdu); err != nil {
		return err
	}
	return x.parseBody(pdu)
}

// parseBody reads the PDU behind its header, which x already has.
func (x *Bind) parseBody(pdu []byte) error {
	if err := x.checkEither(pdu, PTypeBind, PTypeAlterContext); err != nil {
		return err
	}
	o := orderOf(pdu[4])
	// Three reserved bytes follow the count; a PDU that ends in between has no contexts.
	bodyEnd := len(pdu) - trailerSize(x.AuthLength)
	if err := x.Contexts.parse(pdu[:bodyEnd], min(bindFixedSize, bodyEnd), int(pdu[24]), o); err != nil {
		return err
	}
	if _, err := x.Verifier.split(pdu, x.AuthLength, o, handshakeBody); err != nil {
		return err
	}
	x.HasVerifier = x.AuthLength > 0
	x.MaxXmitFrag = o.Uint16(pdu[16:])
	x.MaxRecvFrag = o.Uint16(pdu[18:])
	x.AssocGroupID = o.Uint32(pdu[20:])
	return nil
}

// Len returns the number of bytes that AppendBind writes.
func (x Bind) Len() int {
	n := bindFixedSize + sizeOf(x.Verifier, x.HasVerifier)
	for _, e := range x.Contexts.All() {
		n += contextElementSize + e.Transfers.Len()*wire.SyntaxIDSize
	}
	return n
}

// AppendBind appends x as the type that x.Header names, bind or alter_context.
func AppendBind(dst []byte, x Bind) ([]byte, error) {
	if x.Type != PTypeBind && x.Type != PTypeAlterContext {
		return dst, Errorf(ClassInvalid, "ptype", 2, "%s, expected bind or alter_context", x.Type)
	}
	if x.Contexts.over {
		return dst, Errorf(ClassLimit, "n_context_elem", 24, "more than %d elements or transfer syntaxes", maxListLength)
	}
	dst, err := beginPDU(dst, x.Header, x.Type, x.Len(), x.Verifier, x.HasVerifier)
	if err != nil {
		return dst, err
	}
	o := x.Order()
	dst = o.AppendUint16(dst, x.MaxXmitFrag)
	dst = o.AppendUint16(dst, x.MaxRecvFrag)
	dst = o.AppendUint32(dst, x.AssocGroupID)
	dst = append(dst, byte(x.Contexts.Len()), 0, 0, 0)
	dst = x.Contexts.append(dst, o)
	return appendVerifier(dst, o, x.Verifier, x.HasVerifier), nil
}
