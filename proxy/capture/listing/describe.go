package listing

import (
	"bytes"
	"fmt"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/ntlm"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/spnego"
)

// describe fills in what the type of the PDU has. A PDU that cannot be parsed
// keeps what its header says.
func (r *Row) describe(pdu []byte) {
	switch r.ptype {
	case rpcparse.PTypeRequest:
		if x, err := rpcparse.ParseRequest(pdu); err == nil {
			r.request(&x)
		}
	case rpcparse.PTypeResponse:
		if x, err := rpcparse.ParseResponse(pdu); err == nil {
			r.response(&x)
		}
	case rpcparse.PTypeFault:
		if x, err := rpcparse.ParseFault(pdu); err == nil {
			r.fault(&x)
		}
	case rpcparse.PTypeBind, rpcparse.PTypeAlterContext:
		if x, err := rpcparse.ParseBind(pdu); err == nil {
			r.bind(&x)
		}
	case rpcparse.PTypeBindAck, rpcparse.PTypeAlterContextResp:
		if x, err := rpcparse.ParseBindAck(pdu); err == nil {
			r.bindAck(&x)
		}
	case rpcparse.PTypeBindNak:
		if x, err := rpcparse.ParseBindNak(pdu); err == nil {
			r.bindNak(&x)
		}
	case rpcparse.PTypeAuth3:
		if x, err := rpcparse.ParseAuth3(pdu); err == nil {
			r.verifier(&x.Verifier, x.HasVerifier)
		}
	case rpcparse.PTypeCoCancel:
		if x, err := rpcparse.ParseCoCancel(pdu); err == nil {
			r.verifier(&x.Verifier, x.HasVerifier)
		}
	case rpcparse.PTypeOrphaned:
		if x, err := rpcparse.ParseOrphaned(pdu); err == nil {
			r.verifier(&x.Verifier, x.HasVerifier)
		}
	}
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
		c := Context{ID: e.ID, Abstract: newSyntax(e.Abstract)}
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

// newNTLM reads the NTLM message in a token; nil if there is none.
func newNTLM(token []byte) *NTLM {
	mech, inner, ok := spnego.Unwrap(token)
	if !ok || mech != spnego.MechNTLM {
		return nil
	}
	if a, err := ntlm.ParseAuthenticate(inner); err == nil {
		return &NTLM{Message: 3, Domain: Text(a.Domain), User: Text(a.User), Workstation: Text(a.Workstation), Anonymous: a.Anonymous}
	}
	if c, err := ntlm.ParseChallenge(inner); err == nil {
		return &NTLM{Message: 2, Target: Text(c.TargetName)}
	}
	if n, err := ntlm.ParseNegotiate(inner); err == nil {
		return &NTLM{Message: 1, Domain: Text(n.Domain), Workstation: Text(n.Workstation)}
	}
	return nil
}
