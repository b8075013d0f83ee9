package proxy

import (
	"slices"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/relay"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
	"github.com/nspiproxy/nspiproxy/session"
)

// admit decides on a complete NspiBind request: which rule, is a slot free,
// forward or refuse.
func (i *inspector) admit(k *rpcparse.Call, h rpcparse.Header, p *passage) relay.Verdict {
	if i.orphan {
		return i.toServer(p) // nobody is there to grant it
	}
	u, ok := i.userOf(k.Security)
	if !ok {
		return i.wait(k, h, p)
	}
	rule := i.server.policy.Match(u.subject(i.client(), i.dc.BackendName()))
	if u.unsure != "" && i.server.config.Identity.Directory.WhenDown == policy.WhenDownRefuse {
		i.forgetUser(u) // the next bind asks again: nothing has been counted for this one
		return i.refuse(k, u.id, policy.Decision{Action: policy.Refuse, Rule: rule.Name, Limit: rule.Limit, Unknown: "the directory is down"}, p)
	}
	slot, usage, outcome := i.session.Reserve(session.ReserveRequest{
		User: u.id, Limit: int(rule.Enforced()), Proven: u.proven(), Wake: i.conn.Wake,
	})
	decision := rule.Decide(usage.Held + usage.Reserved)
	switch outcome {
	case session.Wait:
		return i.wait(k, h, p)
	case session.Refused:
		return i.refuse(k, u.id, decision, p)
	}
	if decision.Action == policy.GrantOverLimit {
		i.server.metrics.overLimit(i.backend(), decision)
		i.server.recorder.refused(i, k, u.id, decision, "")
	}
	k.Tag = slot
	return i.forwardBind(p)
}

// wait holds the request back until it can be decided.
func (i *inspector) wait(k *rpcparse.Call, h rpcparse.Header, p *passage) relay.Verdict {
	w := &held{h: h, p: *p, call: k}
	w.p.detach()
	i.hold = w
	return relay.Verdict{Action: relay.Hold}
}

// forwardBind releases the request, with the fragments that were kept back.
func (i *inspector) forwardBind(p *passage) relay.Verdict {
	if len(i.kept) == 0 {
		return i.toServer(p)
	}
	if p.opened() != i.keptOpened {
		return relay.Verdict{Action: relay.Close, Err: errKeptMixed}
	}
	whole := append(i.kept, p.plain...)
	i.kept, i.keptFor = nil, nil
	if p.opened() {
		if err := i.sealAll(whole); err != nil {
			return relay.Verdict{Action: relay.Close, Err: err}
		}
	}
	return relay.Verdict{Action: relay.Drop, ToServer: whole}
}

// sealAll protects consecutive requests that were opened and kept back.
func (i *inspector) sealAll(pdus []byte) error {
	for len(pdus) > 0 {
		h, err := rpcparse.ParseHeader(pdus)
		if err != nil {
			return err
		}
		one := pdus[:h.FragLength]
		p, ok := i.guarded(h, one)
		if !ok {
			return errKeptMixed // opened, and its keys are gone: never in the clear
		}
		if err := p.context.Seal(secctx.ClientToServer, one, p.layout); err != nil {
			return err
		}
		pdus = pdus[h.FragLength:]
	}
	return nil
}

// refuse answers an NspiBind in place of the server.
func (i *inspector) refuse(k *rpcparse.Call, id session.Identity, d policy.Decision, p *passage) relay.Verdict {
	i.kept, i.keptFor = nil, nil
	i.conv.Withdraw(k)
	a, form, err := i.refusalOf(k, p)
	i.server.metrics.refused(i.backend(), d)
	i.server.recorder.refused(i, k, id, d, form)
	if err != nil {
		return relay.Verdict{Action: relay.Close, Err: err}
	}
	i.answer = a.pdu
	return i.reply(a)
}

// refusalOf makes the answer that the client can take: MAPI_E_LOGON_FAILED where
// nothing is protected or the keys are known, else a fault.
func (i *inspector) refusalOf(k *rpcparse.Call, p *passage) (a deferredAnswer, form string, err error) {
	r := i.server.refusal
	switch {
	case p.opened() && p.context.Readable(secctx.ServerToClient):
		a.context = p.context
		p.context.Fork(secctx.ServerToClient)
		a.pdu, a.layout, err = r.appendProtected(i.answer[:0], k, p)
		return a, answerLogonFailed, err
	case k.Protected():
		a.pdu, err = r.appendFault(i.answer[:0], k)
		i.cutOff(k.Security)
		return a, answerFault, err
	}
	a.pdu, err = r.appendLogonFailed(i.answer[:0], k, i.mirror)
	return a, answerLogonFailed, err
}

// cutOff notes that the server has not seen a PDU of a protected context: it
// would take the next one for tampering.
func (i *inspector) cutOff(s *rpcparse.SecurityContext) {
	if s != nil && !slices.Contains(i.dead, s.ID) {
		i.dead = append(i.dead, s.ID)
	}
}

// proved notes that the server accepted a context, and with it the name under
// which its binds in flight are reserved.
func (i *inspector) proved(s *rpcparse.SecurityContext) {
	for _, k := range i.conv.Calls() {
		if slot, ok := k.Tag.(*session.Slot); ok && k.Security == s && k.ClaimStands() {
			slot.Prove()
		}
	}
}

// bindAnswered settles the reservation of an NspiBind.
func (i *inspector) bindAnswered(e *rpcparse.Event) {
	slot, _ := e.Call.Tag.(*session.Slot)
	i.server.metrics.bindAnswered(i.backend(), e)
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
	i.server.metrics.unbindAnswered(i.backend(), e)
	switch {
	case e.Granted && e.Opaque:
		i.session.UnboundOpaque(i.keyOf(e.Security))
	case e.Granted:
		i.session.Unbound(session.Handle(e.Handle))
	case e.Fault == rpcparse.StatusContextMismatch, e.Code == nspi.UnbindFailure:
		i.session.HandleUnknown(session.Handle(e.Handle))
	}
}
