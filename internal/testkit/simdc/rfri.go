package simdc

import (
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/rfri"
)

// rfriService is the referral interface (MS-OXABREF), which Exchange serves and
// a domain controller does not.
type rfriService struct {
	refer func(opnum uint16, dn string) (server string, code uint32)
}

func (*rfriService) syntax() rpcparse.SyntaxID { return rfri.Interface }

func (r *rfriService) call(x *call) ([]byte, uint32) {
	answer := rfri.Answer{Opnum: x.opnum}
	var dn string
	var err error
	switch x.opnum {
	case rfri.OpnumGetNewDSA:
		var q rfri.NewDSARequest
		q, err = rfri.ParseNewDSARequest(x.stub, x.context.towerSyntax(), x.stubOrder())
		dn, answer.Unused = q.UserDN, q.Unused
	case rfri.OpnumGetFQDNFromServerDN:
		var q rfri.FQDNRequest
		q, err = rfri.ParseFQDNRequest(x.stub, x.context.towerSyntax(), x.stubOrder())
		dn = q.ServerDN
	default:
		return nil, rpcparse.StatusOpRangeError
	}
	if err != nil {
		return nil, rpcparse.StatusBadStubData
	}
	server, code := r.refer(x.opnum, dn)
	if server != "" {
		answer.Server = rfri.NewName(server)
	}
	answer.Code = code
	return stubOrFault(rfri.AppendAnswer(nil, answer, x.context.towerSyntax(), x.stubOrder()))
}
