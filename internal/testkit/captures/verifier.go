package captures

import (
	"github.com/nspiproxy/nspiproxy/proxy/capture"
	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// Verifier returns the verifier of a PDU of any type. In a request or response body is where what it protects begins,
// from the start of the PDU in bytes; in every other type, whose verifier carries a leg of a handshake, it is 0. ok is
// false where there is no verifier, or the PDU cannot be parsed.
func Verifier(p *capture.PDU) (v rpcparse.Verifier, body int, ok bool) {
	switch p.Header.Type {
	case rpcparse.PTypeBind, rpcparse.PTypeAlterContext:
		b, err := rpcparse.ParseBind(p.Bytes)
		return b.Verifier, 0, err == nil && b.HasVerifier
	case rpcparse.PTypeBindAck, rpcparse.PTypeAlterContextResp:
		b, err := rpcparse.ParseBindAck(p.Bytes)
		return b.Verifier, 0, err == nil && b.HasVerifier
	case rpcparse.PTypeAuth3:
		a, err := rpcparse.ParseAuth3(p.Bytes)
		return a.Verifier, 0, err == nil && a.HasVerifier
	case rpcparse.PTypeRequest:
		r, err := rpcparse.ParseRequest(p.Bytes)
		return r.Verifier, r.StubOffset, err == nil && r.HasVerifier
	case rpcparse.PTypeResponse:
		r, err := rpcparse.ParseResponse(p.Bytes)
		return r.Verifier, r.StubOffset, err == nil && r.HasVerifier
	}
	return rpcparse.Verifier{}, 0, false
}
