package inspect

import (
	"errors"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
)

var dummyVerifier = [dummyVerifierSize]byte{1}

// Refusal is how binds over the limit are answered.
type Refusal struct {
	Form        nspi.FailureForm // of MAPI_E_LOGON_FAILED
	FaultStatus uint32           // of the fault on signed and sealed connections whose keys are not known
}

// appendLogonFailed appends the response to NspiBind that says
// MAPI_E_LOGON_FAILED (MS-NSPI 3.1.4.1), for calls without protection. With
// mirror it carries the dummy verifier that the server puts on its own
// responses to this client.
func (f Refusal) appendLogonFailed(dst []byte, k *rpcparse.Call, mirror bool) ([]byte, error) {
	syntax, ok := k.Context.NSPISyntax()
	if !ok {
		return f.appendFault(dst, k)
	}
	stub := nspi.AppendBindFailure(nil, syntax, f.Form, k.Bind)
	r := rpcparse.Response{
		Header:    answerHeader(rpcparse.PTypeResponse, k.ID, 0),
		AllocHint: uint32(len(stub)),
		ContextID: k.Context.ID & 0xff, // as servers do: the field was one byte once
		Stub:      stub,
	}
	if mirror && k.Security != nil {
		r.HasVerifier = true
		r.Verifier = rpcparse.Verifier{
			Type: k.Security.Type, Level: k.Security.Level, ContextID: k.Security.ID,
			PadLength: rpcparse.PadTo(len(stub), 16), Token: dummyVerifier[:],
		}
	}
	return rpcparse.AppendResponse(dst, r)
}

// appendProtected appends the same response with room for the token that
// Context.Seal fills in, and says where it is.
func (f Refusal) appendProtected(dst []byte, k *rpcparse.Call, x *protectedPDU) ([]byte, secctx.Layout, error) {
	syntax, ok := k.Context.NSPISyntax()
	if !ok {
		return dst, secctx.Layout{}, errSyntax
	}
	v := x.Verifier()
	stub := nspi.AppendBindFailure(nil, syntax, f.Form, k.Bind)
	pad := rpcparse.PadTo(len(stub), 16)
	start := len(dst)
	dst, err := rpcparse.AppendResponse(dst, rpcparse.Response{
		Header:    answerHeader(rpcparse.PTypeResponse, k.ID, 0),
		AllocHint: uint32(len(stub)),
		ContextID: k.Context.ID & 0xff,
		Stub:      stub, HasVerifier: true,
		Verifier: rpcparse.Verifier{
			Type: v.Type, Level: v.Level, ContextID: v.ContextID, PadLength: pad,
			Token: make([]byte, x.context.TokenSize(rpcparse.ServerToClient, x.layout.Seal)),
		},
	})
	body := start + responseBody
	return dst, secctx.Layout{Body: body, Trailer: body + len(stub) + int(pad), Seal: x.layout.Seal}, err
}

// responseBody is where the stub of a response begins.
const responseBody = 24

var errSyntax = errors.New("NspiBind in a transfer syntax that cannot be answered")

// appendFault appends the unsigned fault that refuses a call on a signed or
// sealed connection whose keys are not known. Faults carry no verifier at any
// level (MS-RPCE 2.2.2.12).
func (f Refusal) appendFault(dst []byte, k *rpcparse.Call) ([]byte, error) {
	var context uint16
	if k.Context != nil {
		context = k.Context.ID
	}
	return appendFault(dst, k.ID, context, f.FaultStatus, rpcparse.FlagDidNotExecute)
}

func appendFault(dst []byte, callID uint32, context uint16, status uint32, flags rpcparse.Flags) ([]byte, error) {
	return rpcparse.AppendFault(dst, rpcparse.Fault{
		Header:    answerHeader(rpcparse.PTypeFault, callID, flags),
		AllocHint: faultSize,
		ContextID: context & 0xff,
		Status:    status,
	})
}

// appendProtocolError appends what a server answers to a client's PDU that it
// cannot accept; nothing to a PDU that has no answer.
func appendProtocolError(dst []byte, h rpcparse.Header) ([]byte, error) {
	switch h.Type {
	case rpcparse.PTypeBind:
		return appendBindNak(dst, h.CallID, rpcparse.NakProtocolVersionNotSupported) // what Samba says to any malformed bind
	case rpcparse.PTypeRequest, rpcparse.PTypeAlterContext:
		return appendFault(dst, h.CallID, 0, rpcparse.StatusProtoError, 0)
	}
	return dst, nil
}

// faultSize is what modern Windows servers put into the alloc_hint of a fault.
const faultSize = 32

// appendBindNak appends the answer to a bind that is refused: with reason "not
// specified" to one that names an association in which the client has no part,
// as a server answers an unknown id.
func appendBindNak(dst []byte, callID uint32, reason uint16) ([]byte, error) {
	return rpcparse.AppendBindNak(dst, rpcparse.BindNak{
		Header:   answerHeader(rpcparse.PTypeBindNak, callID, 0),
		Reason:   reason,
		Versions: []byte{5, 0},
		Rest:     make([]byte, 3), // to a multiple of four
	})
}

// answerHeader is the header of a PDU that the proxy makes: always
// little-endian, always whole.
func answerHeader(t rpcparse.PType, callID uint32, flags rpcparse.Flags) rpcparse.Header {
	return rpcparse.Header{
		Type: t, Flags: rpcparse.FlagFirstFrag | rpcparse.FlagLastFrag | flags,
		Version: 5, Drep: rpcparse.DrepLittleEndian, CallID: callID,
	}
}
