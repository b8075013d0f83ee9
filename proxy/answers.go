package proxy

import (
	"errors"
	"slices"

	"github.com/nspiproxy/nspiproxy/proxy/relay"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
)

// violation ends the connection: client and server could disagree about what
// the PDU means. The client is told where the protocol has a way to say it.
func (i *inspector) violation(h rpcparse.Header, pdu []byte, err error) relay.Verdict {
	i.server.metrics.failed(err)
	i.server.recorder.violation(i, h, pdu, err)
	v := relay.Verdict{Action: relay.Close, Err: err}
	if i.responding() {
		return v
	}
	reply, failure := appendProtocolError(i.answer[:0], h)
	if failure == nil {
		i.answer, v.ToClient = reply, reply
	}
	return v
}

// refuseAssociation answers a bind that names an association in which the
// client has no connection, as a server answers an unknown one. In forward
// mode the domain controller sees the proxy's address only and cannot check
// this itself (MS-RPCE 3.3.1.5.7).
func (i *inspector) refuseAssociation(e *rpcparse.Event, why error) relay.Verdict {
	i.conv.WithdrawBind(e.CallID)
	i.server.metrics.associationRefused(why)
	i.server.recorder.associationRefused(i, e.Association, why)
	reply, err := appendBindNak(i.answer[:0], e.CallID, rpcparse.NakNotSpecified)
	if err != nil {
		return relay.Verdict{Action: relay.Close, Err: err}
	}
	i.answer = reply
	return relay.Verdict{Action: relay.Drop, ToClient: reply}
}

// deadContext answers a request under a security context that a refusal cut
// off from the server's sequence, as a server answers a gap in it: with
// security package error. Nothing else uses the connection when it is the only
// context; then it ends, as it would at a Windows server.
func (i *inspector) deadContext(h rpcparse.Header, pdu []byte) (relay.Verdict, bool) {
	r, err := rpcparse.ParseRequest(pdu)
	if err != nil || !r.HasVerifier || !slices.Contains(i.dead, r.Verifier.ContextID) {
		return relay.Verdict{}, false
	}
	if !r.Last() {
		return relay.Verdict{Action: relay.Drop}, true
	}
	reply, err := appendFault(i.answer[:0], r.CallID, r.ContextID, rpcparse.StatusSecPkgError, rpcparse.FlagDidNotExecute)
	if err != nil {
		return relay.Verdict{Action: relay.Close, Err: err}, true
	}
	i.answer = reply
	if i.conv.SecurityContexts() <= len(i.dead) {
		return relay.Verdict{Action: relay.Close, ToClient: reply, Err: errDeadContext}, true
	}
	return i.reply(deferredAnswer{pdu: reply}), true
}

var errDeadContext = errors.New("a request on a signed or sealed security context after a refused bind")

// deferredAnswer is an answer of the proxy's own. It is sealed when it leaves,
// for PDUs are numbered.
type deferredAnswer struct {
	pdu     []byte
	context *secctx.Context // nil: not protected
	layout  secctx.Layout
}

func (a *deferredAnswer) seal() error {
	if a.context == nil {
		return nil
	}
	return a.context.Seal(secctx.ServerToClient, a.pdu, a.layout)
}

// reply answers the client in place of the server, now or after the response
// that the server is sending.
func (i *inspector) reply(a deferredAnswer) relay.Verdict {
	if !i.responding() {
		if err := a.seal(); err != nil {
			return relay.Verdict{Action: relay.Close, Err: err}
		}
		return relay.Verdict{Action: relay.Drop, ToClient: a.pdu}
	}
	if len(i.deferred) >= maxDeferred {
		return relay.Verdict{Action: relay.Close, Err: rpcparse.Errorf(rpcparse.ClassLimit, "deferred_answers", 0,
			"more than %d answers wait for the end of a response", maxDeferred)}
	}
	a.pdu = slices.Clone(a.pdu)
	i.deferred = append(i.deferred, a)
	return relay.Verdict{Action: relay.Drop}
}

// flushDeferred appends the answers that waited.
func (i *inspector) flushDeferred(dst []byte) []byte {
	for n := range i.deferred {
		if i.deferred[n].seal() == nil { // fails only for a layout that is wrong, and this one is ours
			dst = append(dst, i.deferred[n].pdu...)
		}
	}
	i.deferred = nil
	return dst
}
