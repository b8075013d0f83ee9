package listing

import (
	"bytes"
	"fmt"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/ntlm"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/spnego"
)

// describe fills in what the type of the PDU has. Of a PDU that cannot be
// parsed, it shows as much as can be read.
func (r *Row) describe(pdu []byte) {
	if r.parse(pdu) == nil || len(pdu) < rpcparse.HeaderSize {
		return
	}
	body := bytes.Clone(pdu)
	o := rpcparse.Drep(body[4:8]).Order()
	o.PutUint16(body[8:], uint16(len(body))) // where the capture cut it
	o.PutUint16(body[10:], 0)                // without a verifier, which may be what is wrong
	_ = r.parse(body)
	r.StubLength = nil
	if start := len(pdu) - rpcparse.VerifierSize - int(r.AuthLength); r.AuthLength > 0 && r.Cut == 0 && start >= rpcparse.HeaderSize {
		t := pdu[start:]
		r.verifier(&rpcparse.Verifier{
			Type: rpcparse.AuthType(t[0]), Level: rpcparse.AuthLevel(t[1]), PadLength: t[2], Reserved: t[3],
			ContextID: o.Uint32(t[4:]), Token: t[rpcparse.VerifierSize:],
		}, true)
	}
}

// parse fills in what the type of the PDU has.
func (r *Row) parse(pdu []byte) error {
	switch r.ptype {
	case rpcparse.PTypeRequest:
		return describe(pdu, rpcparse.ParseRequest, r.request)
	case rpcparse.PTypeResponse:
		return describe(pdu, rpcparse.ParseResponse, r.response)
	case rpcparse.PTypeFault:
		return describe(pdu, rpcparse.ParseFault, r.fault)
	case rpcparse.PTypeBind, rpcparse.PTypeAlterContext:
		return describe(pdu, rpcparse.ParseBind, r.bind)
	case rpcparse.PTypeBindAck, rpcparse.PTypeAlterContextResp:
		return describe(pdu, rpcparse.ParseBindAck, r.bindAck)
	case rpcparse.PTypeBindNak:
		return describe(pdu, rpcparse.ParseBindNak, r.bindNak)
	case rpcparse.PTypeAuth3:
		return describe(pdu, rpcparse.ParseAuth3, func(x *rpcparse.Auth3) { r.verifier(&x.Verifier, x.HasVerifier) })
	case rpcparse.PTypeCoCancel:
		return describe(pdu, rpcparse.ParseCoCancel, func(x *rpcparse.CoCancel) { r.verifier(&x.Verifier, x.HasVerifier) })
	case rpcparse.PTypeOrphaned:
		return describe(pdu, rpcparse.ParseOrphaned, func(x *rpcparse.Orphaned) { r.verifier(&x.Verifier, x.HasVerifier) })
	}
	return nil
}

// describe parses a PDU of one type and fills in what it has.
func describe[T any](pdu []byte, parse func([]byte) (T, error), fill func(*T)) error {
	x, err := parse(pdu)
	if err == nil {
		fill(&x)
	}
	return err
}

func (r *Row) request(x *rpcparse.Request) {
	stub := len(x.Stub)
	r.ContextID, r.Opnum, r.AllocHint, r.StubLength = &x.ContextID, &x.Opnum, &x.AllocHint, &stub
	r.first = x.First()
	if x.HasObject {
		r.Object = x.Object.String()
	}
	r.verifier(&x.Verifier, x.HasVerifier)
}

func (r *Row) response(x *rpcparse.Response) {
	stub := len(x.Stub)
	r.ContextID, r.AllocHint, r.CancelCount, r.StubLength = &x.ContextID, &x.AllocHint, &x.CancelCount, &stub
	r.verifier(&x.Verifier, x.HasVerifier)
}

func (r *Row) fault(x *rpcparse.Fault) {
	r.ContextID, r.AllocHint, r.CancelCount, r.FaultFlags = &x.ContextID, &x.AllocHint, &x.CancelCount, &x.FaultFlags
	r.Status, r.StatusName = fmt.Sprintf("0x%08x", x.Status), rpcparse.StatusName(x.Status)
	r.verifier(&x.Verifier, x.HasVerifier)
}

func (r *Row) bind(x *rpcparse.Bind) {
	count := x.Contexts.Len()
	r.MaxXmitFrag, r.MaxRecvFrag, r.AssocGroupID, r.ContextCount = &x.MaxXmitFrag, &x.MaxRecvFrag, &x.AssocGroupID, &count
	for _, e := range x.Contexts.All() {
		c := Context{ID: e.ID, Abstract: newSyntax(e.Abstract), Transfers: []Syntax{}}
		for _, t := range e.Transfers.All() {
			c.Transfers = append(c.Transfers, newSyntax(t))
		}
		r.Contexts = append(r.Contexts, c)
	}
	r.verifier(&x.Verifier, x.HasVerifier)
}

func (r *Row) bindAck(x *rpcparse.BindAck) {
	addr, count := len(x.SecondaryAddress), x.Results.Len()
	r.MaxXmitFrag, r.MaxRecvFrag, r.AssocGroupID = &x.MaxXmitFrag, &x.MaxRecvFrag, &x.AssocGroupID
	r.SecAddrLen, r.SecAddr, r.ResultCount = &addr, Text(bytes.TrimSuffix(x.SecondaryAddress, []byte{0})), &count
	for _, e := range x.Results.All() {
		r.Results = append(r.Results, Result{Result: e.Result, Reason: e.Reason, Transfer: newSyntax(e.Transfer)})
	}
	r.verifier(&x.Verifier, x.HasVerifier)
}

func (r *Row) bindNak(x *rpcparse.BindNak) {
	r.RejectReason, r.RejectName = &x.Reason, rpcparse.NakReasonName(x.Reason)
	for v := x.Versions; len(v) >= 2; v = v[2:] {
		r.Versions = append(r.Versions, fmt.Sprintf("%d.%d", v[0], v[1]))
	}
	r.verifier(&x.Verifier, x.HasVerifier)
}

func newSyntax(s rpcparse.SyntaxID) Syntax {
	return Syntax{UUID: s.UUID.String(), Major: uint16(s.Version), Minor: uint16(s.Version >> 16), id: s}
}

func (r *Row) verifier(v *rpcparse.Verifier, has bool) {
	if !has {
		return
	}
	authType, level := uint8(v.Type), uint8(v.Level)
	r.AuthType, r.AuthLevel, r.AuthPadLength, r.AuthReserved, r.AuthContextID = &authType, &level, &v.PadLength, &v.Reserved, &v.ContextID
	if r.ptype.Handshake() {
		r.NTLM = newNTLM(v.Token)
	}
}

// newNTLM reads the NTLM message in a token; nil if there is none. Of a message
// that cannot be parsed, its type is known.
func newNTLM(token []byte) *NTLM {
	const typeOffset = 8 // behind the signature
	mech, inner, ok := spnego.Unwrap(token)
	if !ok || mech != spnego.MechNTLM || len(inner) < typeOffset+4 {
		return nil
	}
	m := &NTLM{Message: rpcparse.LittleEndian.Uint32(inner[typeOffset:])}
	if a, err := ntlm.ParseAuthenticate(inner, 0); err == nil {
		m.Domain, m.User, m.Workstation, m.Anonymous = Text(a.Domain), Text(a.User), Text(a.Workstation), a.Anonymous
	} else if c, err := ntlm.ParseChallenge(inner); err == nil {
		m.Target = Text(c.TargetName)
	} else if n, err := ntlm.ParseNegotiate(inner); err == nil {
		m.Domain, m.Workstation = Text(n.Domain), Text(n.Workstation)
	}
	return m
}
