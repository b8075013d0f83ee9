package inspect

import (
	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
	"github.com/nspiproxy/nspiproxy/session"
)

// admit decides on a complete NspiBind request: which rule, is a slot free,
// forward or refuse.
func (i *Inspector) admit(k *rpcparse.Call, x *protectedPDU) Verdict {
	if i.serverClosed {
		return i.toServer(x) // the server has ended its stream and cannot grant it
	}
	u, ok := i.userOfCall(k)
	if !ok {
		return i.admission.awaitUser(k, x)
	}
	settings := i.deps.Settings.Load()
	rule := settings.Policy.Match(u.subject(i.client(), i.ruleName))
	i.reportUnread(k.Security, u)
	if u.lookupErr != nil && settings.WhenDown == policy.WhenDownRefuse {
		i.forgetUser(k.Security) // the next bind asks again: nothing has been counted for this one
		i.session.Withdraw()     // if it has waited, a slot may be reserved for it
		return i.refuse(k, u, rule.RefuseUncounted("the directory is down"), settings.Refusal, x)
	}
	if u.id.Assurance == session.AssuranceUnreadable && settings.Unreadable != policy.UnreadableCount && !rule.DryRun {
		if settings.Unreadable == policy.UnreadableHold && !i.admission.heldLongEnough(i.deps.After, i.conn.Wake) {
			return i.admission.awaitUser(k, x)
		}
		return i.refuse(k, u, rule.RefuseUncounted("the user could not be read: "+u.unread), settings.Refusal, x)
	}
	slot, usage, outcome := i.session.Reserve(session.ReserveRequest{
		User: u.id, Limit: int(rule.Enforced()), Proven: u.proven(k.Security), Caller: i.callerOf(k), Wake: i.conn.Wake,
	})
	if outcome == session.Wait {
		return i.admission.awaitUser(k, x)
	}
	decision := rule.Decision(usage.Proven(), outcome == session.Reserved)
	if !decision.Allowed() {
		return i.refuse(k, u, decision, settings.Refusal, x)
	}
	if decision.OverLimit() {
		i.reportLimit(k, u, decision, "")
	}
	k.Tag = slot
	return i.forwardBind(x)
}

// forwardBind releases the request, with its buffered fragments.
func (i *Inspector) forwardBind(x *protectedPDU) Verdict {
	if len(i.admission.fragments) == 0 {
		return i.toServer(x)
	}
	all, err := i.admission.whole(&i.protection, &i.conv, x)
	if err != nil {
		return closing(err)
	}
	return Verdict{Action: Drop, ToServer: all}
}

// refuse answers an NspiBind in place of the server.
func (i *Inspector) refuse(k *rpcparse.Call, u *user, d policy.Decision, how Refusal, x *protectedPDU) Verdict {
	i.admission.drop()
	i.conv.Withdraw(k)
	a, form, err := i.refusalOf(k, how, x)
	i.reportLimit(k, u, d, form)
	if err != nil {
		return closing(err)
	}
	return i.replies.send(a, i.responding())
}

// refusalOf makes the answer that the client can take: MAPI_E_LOGON_FAILED where
// nothing is protected or the keys are known, else a fault.
func (i *Inspector) refusalOf(k *rpcparse.Call, how Refusal, x *protectedPDU) (a reply, form AnswerForm, err error) {
	buf := i.replies.buf[:0]
	switch {
	case x.Opened && x.context.Readable(rpcparse.ServerToClient):
		a.context = x.context
		x.context.Fork(rpcparse.ServerToClient)
		a.pdu, a.layout, err = how.appendProtected(buf, k, x)
		return a, AnswerLogonFailed, err
	case k.Protected():
		a.pdu, err = how.appendFault(buf, k)
		i.protection.markDesynced(k.Security)
		return a, AnswerFault, err
	}
	a.pdu, err = how.appendLogonFailed(buf, k, i.replies.mirror)
	return a, AnswerLogonFailed, err
}

// reportLimit reports a bind that was refused, or that a dry run let pass.
func (i *Inspector) reportLimit(k *rpcparse.Call, u *user, d policy.Decision, form AnswerForm) {
	e := LimitExceeded{Source: i.source(), User: u.id, Decision: d, Answer: form, CallID: k.ID, Level: k.Level, Unread: u.unread}
	if k.Security != nil {
		e.Workstation = k.Security.Workstation
	}
	i.report(e)
}

// reportUnread reports once that the user of a security context could not be read.
func (i *Inspector) reportUnread(s *rpcparse.SecurityContext, u *user) {
	if u.id.Assurance != session.AssuranceUnreadable {
		return
	}
	if s == nil {
		i.report(IdentityUnreadable{Source: i.source(), Why: secctx.Outcome{
			Result: secctx.Unproven, Detail: "a request that does not say which of several users makes it",
		}})
		return
	}
	if state := i.protection.stateOf(s); !state.reported {
		state.reported = true
		why, _ := unreadOf(s)
		i.report(IdentityUnreadable{Source: i.source(), Mechanism: s.Mechanism, Why: why})
	}
}

// callerOf returns the number of the security context that a call is made under; 0
// where it is not known which one that is.
func (i *Inspector) callerOf(k *rpcparse.Call) uint32 {
	caller := &i.identity.caller
	switch {
	case len(k.Among) > 0:
		return 0
	case k.Security != nil:
		caller = &i.protection.stateOf(k.Security).caller
	}
	if *caller == 0 {
		*caller = i.session.NewCaller()
	}
	return *caller
}

// proved notes that the server accepted a context, and with it the name under
// which its binds in flight are reserved.
func (i *Inspector) proved(s *rpcparse.SecurityContext) {
	if isUser(s) {
		i.session.Vouch()
	}
	for _, k := range i.conv.Calls() {
		if slot, ok := k.Tag.(*session.Slot); ok && k.Security == s && k.ClaimStands() {
			slot.Prove()
		}
	}
}

// bindAnswered settles the reservation of an NspiBind.
func (i *Inspector) bindAnswered(e *rpcparse.Event) {
	slot, _ := e.Call.Tag.(*session.Slot)
	a := BindAnswered{Source: i.source(), Result: bindResult(e)}
	if slot != nil && e.Code == nspi.LogonFailed && e.Security.HasUser() {
		a.LogonFailed, a.Account = true, e.Security.Account()
	}
	i.report(a)
	switch {
	case !e.Granted:
		slot.Release()
	case e.Opaque:
		slot.CommitOpaque()
	default:
		slot.Commit(session.Handle(e.Handle))
	}
}

func bindResult(e *rpcparse.Event) AnswerResult {
	switch {
	case e.Granted:
		return ResultGranted
	case e.Fault != 0:
		return ResultFaulted
	case !e.Security.HasUser() && (e.Security == nil || e.Security.Anonymous()):
		return ResultAnonymous
	}
	return ResultFailed
}

// unbindAnswered ends the session of an NspiUnbind that the server confirmed,
// or whose handle the server does not know although it is used as it was made.
func (i *Inspector) unbindAnswered(e *rpcparse.Event) {
	i.report(UnbindAnswered{Source: i.source(), Result: unbindResult(e)})
	switch {
	case e.Granted && e.Opaque:
		i.session.UnboundOpaque(i.keyOf(e.Security))
	case e.Granted:
		i.session.Unbound(session.Handle(e.Handle))
	case e.Fault == rpcparse.StatusContextMismatch, e.Code == nspi.UnbindFailure:
		i.session.HandleUnknown(session.Handle(e.Handle), i.callerOf(e.Call))
	}
}

func unbindResult(e *rpcparse.Event) AnswerResult {
	switch {
	case e.Granted:
		return ResultGranted
	case e.Fault != 0:
		return ResultFaulted
	}
	return ResultFailed
}
