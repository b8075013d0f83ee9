package inspect

import (
	"slices"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
)

// maxDeferred is how many answers of the proxy's own wait while the server
// sends a fragmented response. A client with that many refused binds in flight
// at once is cut off.
const maxDeferred = 512

// reply is an answer in place of the server. It is sealed when it leaves,
// because PDUs are numbered.
type reply struct {
	pdu     []byte
	context *secctx.Context // nil: not protected
	layout  secctx.Layout
}

func (r *reply) seal() error {
	if r.context == nil {
		return nil
	}
	return r.context.Seal(rpcparse.ServerToClient, r.pdu, r.layout)
}

// replies owns the answers of the proxy's own and when they may leave.
type replies struct {
	buf      []byte  // of the newest answer, for the next one
	deferred []reply // wait for the end of a response
	// serverPending tells that a PDU of the server waits, so that the client has
	// a part of a response.
	serverPending bool
	// mirror tells that the server puts dummy verifiers on its responses.
	mirror bool
}

// send answers the client now, or, if the server is in the middle of a response,
// after that.
func (r *replies) send(a reply, responding bool) Verdict {
	r.buf = a.pdu
	if !responding {
		if err := a.seal(); err != nil {
			return closing(err)
		}
		return Verdict{Action: Drop, ToClient: a.pdu}
	}
	if len(r.deferred) >= maxDeferred {
		return closing(rpcparse.Errorf(rpcparse.ClassLimit, "deferred_answers", 0,
			"more than %d answers wait for the end of a response", maxDeferred))
	}
	a.pdu = slices.Clone(a.pdu)
	r.deferred = append(r.deferred, a)
	return Verdict{Action: Drop}
}

// appendDeferred appends the answers that waited to what goes to the client.
func (r *replies) appendDeferred(dst []byte) []byte {
	for n := range r.deferred {
		if r.deferred[n].seal() == nil { // fails only for a layout that is wrong, and this one is ours
			dst = append(dst, r.deferred[n].pdu...)
		}
	}
	r.deferred = nil
	return dst
}
