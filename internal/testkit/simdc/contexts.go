package simdc

import (
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/tower"
)

// maxContexts bounds the presentation contexts of one connection.
const maxContexts = 4000

// features are the bind-time features that the server knows (MS-RPCE 2.2.2.14).
const features = rpcparse.FeatureSecurityContextMultiplexing | rpcparse.FeatureKeepConnectionOnOrphan

// presentation is an accepted presentation context.
type presentation struct {
	service  service
	abstract rpcparse.SyntaxID
	transfer rpcparse.SyntaxID
}

// ndr64 reports whether stubs are in NDR64.
func (p *presentation) ndr64() bool { return p.transfer == rpcparse.SyntaxNDR64 }

// nspiSyntax is the transfer syntax in the words of package nspi.
func (p *presentation) nspiSyntax() nspi.Syntax {
	if p.ndr64() {
		return nspi.NDR64
	}
	return nspi.NDR
}

// towerSyntax is the transfer syntax in the words of packages tower and rfri.
func (p *presentation) towerSyntax() tower.Syntax {
	if p.ndr64() {
		return tower.NDR64
	}
	return tower.NDR
}

// negotiate answers every context of a list. ok is false for an id that is
// taken by something else, which is a protocol error.
func (c *conn) negotiate(list rpcparse.ContextList) (results rpcparse.ResultList, ok bool) {
	accepted := make(map[rpcparse.SyntaxID]bool) // interfaces that this list offers in NDR64
	if !c.server.cfg.NoNDR64 {
		for _, e := range list.All() {
			if offers(e, rpcparse.SyntaxNDR64) {
				accepted[e.Abstract] = true
			}
		}
	}
	var answers []rpcparse.ContextResult
	for _, e := range list.All() {
		r := c.answer(e, accepted[e.Abstract])
		if r.Result == rpcparse.ResultAcceptance && !c.accept(e, r.Transfer) {
			return rpcparse.ResultList{}, false
		}
		answers = append(answers, r)
	}
	return rpcparse.NewResultList(answers...), true
}

// answer decides on one context. Of an interface that the list offers in both
// syntaxes only the NDR64 context is accepted, as Windows does.
func (c *conn) answer(e rpcparse.ContextElement, inNDR64 bool) rpcparse.ContextResult {
	if e.Transfers.Len() > 0 {
		if mask, ok := rpcparse.IsFeatureNegotiation(e.Transfers.At(0)); ok {
			return rpcparse.ContextResult{Result: rpcparse.ResultNegotiateAck, Reason: uint16(mask & features)}
		}
	}
	if c.endpoint.service(e.Abstract) == nil {
		return rejected(rpcparse.ReasonAbstractSyntaxNotSupported)
	}
	want := rpcparse.SyntaxNDR
	if inNDR64 {
		want = rpcparse.SyntaxNDR64
	}
	if !offers(e, want) {
		return rejected(rpcparse.ReasonTransferSyntaxNotSupported)
	}
	if len(c.contexts) >= maxContexts {
		return rejected(rpcparse.ReasonLocalLimitExceeded)
	}
	return rpcparse.ContextResult{Result: rpcparse.ResultAcceptance, Transfer: want}
}

// accept keeps a context. An id may be defined again as what it is.
func (c *conn) accept(e rpcparse.ContextElement, transfer rpcparse.SyntaxID) bool {
	if old := c.contexts[e.ID]; old != nil {
		return old.abstract == e.Abstract && old.transfer == transfer
	}
	c.contexts[e.ID] = &presentation{service: c.endpoint.service(e.Abstract), abstract: e.Abstract, transfer: transfer}
	return true
}

func rejected(reason uint16) rpcparse.ContextResult {
	return rpcparse.ContextResult{Result: rpcparse.ResultProviderRejection, Reason: reason}
}

func offers(e rpcparse.ContextElement, syntax rpcparse.SyntaxID) bool {
	for _, s := range e.Transfers.All() {
		if s == syntax {
			return true
		}
	}
	return false
}
