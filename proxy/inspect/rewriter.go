package inspect

import (
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/tower"
)

// exchange is what a rewriter sees of its connection.
type exchange struct {
	*link
	conv *rpcparse.Conversation
}

// rewriter changes, or only reads, what leads clients elsewhere: answers of the
// endpoint mapper and of the referral interface, and the ids of associations.
type rewriter interface {
	// handshake may change a bind, an alter_context or an answer to one in place.
	handshake(on exchange, d rpcparse.Direction, h rpcparse.Header, pdu []byte)
	// interrupted is called for every PDU of the server, before answer. It returns
	// whole PDUs that were buffered and must reach the client before this one.
	interrupted(on exchange, h rpcparse.Header) (late []byte)
	// reads reports whether answer is to be called for responses to k.
	reads(k *rpcparse.Call) bool
	// answer decides on one fragment of a response to k.
	answer(on exchange, k *rpcparse.Call, x protectedPDU) Verdict
	// resume decides again on the fragment to which answer said Hold.
	resume() Verdict
}

// passive is a rewriter that does nothing: the part that another one does not have.
type passive struct{}

func (passive) handshake(exchange, rpcparse.Direction, rpcparse.Header, []byte) {}
func (passive) interrupted(exchange, rpcparse.Header) []byte                    { return nil }
func (passive) reads(*rpcparse.Call) bool                                       { return false }
func (passive) answer(exchange, *rpcparse.Call, protectedPDU) Verdict           { return Verdict{} }
func (passive) resume() Verdict                                                 { return Verdict{} }

// rewriters are those of one connection.
type rewriters []rewriter

func (all rewriters) handshake(on exchange, d rpcparse.Direction, h rpcparse.Header, pdu []byte) {
	if !h.Type.Handshake() {
		return
	}
	for _, r := range all {
		r.handshake(on, d, h, pdu)
	}
}

func (all rewriters) interrupted(on exchange, h rpcparse.Header) (late []byte) {
	for _, r := range all {
		late = append(late, r.interrupted(on, h)...)
	}
	return late
}

// answer decides on a response to k. The first one that reads it does.
func (all rewriters) answer(on exchange, k *rpcparse.Call, x *protectedPDU) Verdict {
	for _, r := range all {
		if r.reads(k) {
			return r.answer(on, k, *x)
		}
	}
	return Verdict{}
}

// resume decides again on a response to which one of them said Hold.
func (all rewriters) resume() Verdict {
	for _, r := range all {
		if v := r.resume(); v.Action == Hold {
			return v
		}
	}
	return Verdict{}
}

// before lets late reach the client before what v says about pdu.
func before(late, pdu []byte, v Verdict) Verdict {
	if v.Action == Forward {
		v.Action = Drop
		late = append(late, pdu...)
	}
	v.ToClient = append(late, v.ToClient...)
	return v
}

// towerSyntax returns the transfer syntax as packages tower and rfri name it.
func towerSyntax(p *rpcparse.PresentationContext) (s tower.Syntax, ok bool) {
	switch p.Transfer {
	case rpcparse.TransferNDR:
		return tower.NDR, true
	case rpcparse.TransferNDR64:
		return tower.NDR64, true
	}
	return tower.NDR, false
}
