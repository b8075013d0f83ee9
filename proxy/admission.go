package proxy

import (
	"slices"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/relay"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/session"
)

// admit decides on a complete NspiBind request: which rule, is a slot free,
// forward or refuse.
func (i *inspector) admit(k *rpcparse.Call, h rpcparse.Header, pdu []byte) relay.Verdict {
	if i.orphan {
		return relay.Verdict{} // nobody is there to grant it
	}
	id, proven := identityOf(k.Security, i.client())
	backend := i.service.backend.Name
	rule := i.server.policy.Match(subjectOf(id, i.client(), backend))
	slot, usage, outcome := i.session.Reserve(session.ReserveRequest{
		User: id, Limit: int(rule.Enforced()), Proven: proven, Wake: i.conn.Wake,
	})
	decision := rule.Decide(usage.Held + usage.Reserved)
	switch outcome {
	case session.Wait:
		i.hold = &held{h: h, pdu: slices.Clone(pdu), call: k}
		return relay.Verdict{Action: relay.Hold}
	case session.Refused:
		return i.refuse(k, id, decision)
	}
	if decision.Action == policy.GrantOverLimit {
		i.server.metrics.overLimit(backend, decision)
		i.server.recorder.refused(i, k, id, decision, "")
	}
	k.Tag = slot
	return i.forwardBind(pdu)
}

// forwardBind releases the request, with the fragments that were kept back.
func (i *inspector) forwardBind(pdu []byte) relay.Verdict {
	if len(i.kept) == 0 {
		return relay.Verdict{}
	}
	whole := append(i.kept, pdu...)
	i.kept, i.keptFor = nil, nil
	return relay.Verdict{Action: relay.Drop, ToServer: whole}
}

// refuse answers an NspiBind in place of the server.
func (i *inspector) refuse(k *rpcparse.Call, id session.Identity, d policy.Decision) relay.Verdict {
	i.kept, i.keptFor = nil, nil
	i.conv.Withdraw(k)
	var reply []byte
	var err error
	form := answerLogonFailed
	if k.Protected() {
		form = answerFault
		reply, err = i.server.refusal.appendFault(i.answer[:0], k)
		i.cutOff(k.Security)
	} else {
		reply, err = i.server.refusal.appendLogonFailed(i.answer[:0], k, i.mirror)
	}
	i.server.metrics.refused(i.service.backend.Name, d)
	i.server.recorder.refused(i, k, id, d, form)
	if err != nil {
		return relay.Verdict{Action: relay.Close, Err: err}
	}
	i.answer = reply
	return i.reply(reply)
}

// cutOff notes that the server has not seen a PDU of a protected context: it
// would take the next one for tampering.
func (i *inspector) cutOff(s *rpcparse.SecurityContext) {
	if s != nil && !slices.Contains(i.dead, s.ID) {
		i.dead = append(i.dead, s.ID)
	}
}

// bindAnswered settles the reservation of an NspiBind.
func (i *inspector) bindAnswered(e *rpcparse.Event) {
	slot, _ := e.Call.Tag.(*session.Slot)
	i.server.metrics.bindAnswered(i.service.backend.Name, e)
	if slot == nil {
		return
	}
	switch {
	case !e.Granted:
		slot.Release()
	case e.Opaque:
		slot.CommitOpaque()
	default:
		slot.Commit(session.Handle(e.Handle))
	}
	if e.Code == nspi.LogonFailed && e.Security.HasUser() {
		i.server.recorder.refusedUpstream(i, e)
	}
}

// unbindAnswered ends the session of an NspiUnbind that the server confirmed,
// or whose handle the server no longer knows.
func (i *inspector) unbindAnswered(e *rpcparse.Event) {
	i.server.metrics.unbindAnswered(i.service.backend.Name, e)
	switch {
	case e.Granted && e.Opaque:
		i.session.UnboundOpaque(i.keyOf(e.Security))
	case e.Granted:
		i.session.Unbound(session.Handle(e.Handle))
	case e.Fault == rpcparse.StatusContextMismatch, e.Code == nspi.UnbindFailure:
		i.session.Disowned(session.Handle(e.Handle))
	}
}
