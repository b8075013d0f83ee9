package inspect

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

func TestBindAtTheLimitIsRefusedInTheFormThatItsClientReads(t *testing.T) {
	echo := func(c *policy.Config) { c.Policy.Refusal.Form = policy.FormEcho }
	for name, tc := range map[string]struct {
		call   rpc
		level  rpcparse.AuthLevel // 0: not authenticated
		dummy  bool
		change func(*policy.Config)
		guid   bool // the client's is in the answer
	}{
		"cleartext NDR":           {},
		"cleartext NDR64":         {call: rpc{ctx: ctxNDR64}},
		"cleartext big-endian":    {call: rpc{order: rpcparse.BigEndian}},
		"connect":                 {level: rpcparse.LevelConnect},
		"connect, dummies":        {level: rpcparse.LevelConnect, dummy: true},
		"echo form":               {change: echo, guid: true},
		"echo form, NDR64":        {call: rpc{ctx: ctxNDR64}, change: echo, guid: true},
		"echo form at connect":    {level: rpcparse.LevelConnect, change: echo, guid: true},
		"connect, NDR64, dummies": {call: rpc{ctx: ctxNDR64}, level: rpcparse.LevelConnect, dummy: true},
	} {
		t.Run(name, func(t *testing.T) {
			changes := []func(*policy.Config){limit(1)}
			if tc.change != nil {
				changes = append(changes, tc.change)
			}
			s := newSite(t, changes...)
			d := s.connect()
			if tc.level != 0 {
				tc.call.sec = alice(t, tc.level)
				tc.call.sec.dummy = tc.dummy
			}
			d.bound(tc.call.sec)
			tc.call.id = 2
			d.granted(tc.call, handle(1))
			for id := range uint32(3) {
				tc.call.id = 10 + id
				pdu := d.refused(tc.call)
				b := wantLogonFailed(t, tc.call, pdu)
				if b.HasGUID != tc.guid || tc.guid && b.GUID != clientGUID {
					t.Errorf("the answer has a GUID: %t, %x", b.HasGUID, b.GUID)
				}
				if x, err := rpcparse.ParseResponse(pdu); err != nil || x.HasVerifier != tc.dummy {
					t.Errorf("the answer has a verifier: %t, %v", x.HasVerifier, err)
				}
			}
			s.wantSlots(1, 0, 0, 0)
			if n := len(eventsOf[LimitExceeded](s.events)); n != 3 {
				t.Errorf("%d refusals reported", n)
			}
			d.wantOpen()
			tc.call.id = 20
			d.unbound(tc.call, handle(1))
			tc.call.id = 21
			d.granted(tc.call, handle(2))
		})
	}
}

// unbound makes a whole NspiUnbind, which the server confirms.
func (d *driver) unbound(r rpc, h nspi.Handle) {
	d.site.t.Helper()
	r.opnum = nspi.OpnumUnbind
	d.exchanged(r, r.unbindStub(h), r.unboundStub(nspi.UnbindSuccess))
}

func TestRefusalIsReportedWithItsCause(t *testing.T) {
	s := newSite(t, limit(1))
	sec := alice(t, rpcparse.LevelConnect)
	d := s.connect()
	d.bound(sec)
	d.granted(nspiBind(2, sec), handle(1))
	d.refused(nspiBind(3, sec))
	all := eventsOf[LimitExceeded](s.events)
	if len(all) != 1 {
		t.Fatalf("%d refusals reported", len(all))
	}
	e := all[0]
	if e.Client != d.fakeConn.client || e.Backend != "dc1" || e.User.Account.String() != `LAB\alice` || e.Workstation != "PC7" ||
		e.CallID != 3 || e.Level != rpcparse.LevelConnect || e.Answer != AnswerLogonFailed ||
		e.Decision.Rule != policy.DefaultRule || e.Decision.Limit != 1 || e.Decision.Current != 1 || e.Decision.DryRun {
		t.Errorf("reported: %+v", e)
	}
}

func TestDryRunForwardsAndReports(t *testing.T) {
	s := newSite(t, limit(1), func(c *policy.Config) { c.Policy.DryRun = true })
	sec := alice(t, rpcparse.LevelConnect)
	d := s.connect()
	d.bound(sec)
	d.granted(nspiBind(2, sec), handle(1))
	if n := len(eventsOf[LimitExceeded](s.events)); n != 0 {
		t.Errorf("%d reports below the limit", n)
	}
	d.granted(nspiBind(3, sec), handle(2))
	s.wantSlots(2, 0, 0, 0)
	if all := eventsOf[LimitExceeded](s.events); len(all) != 1 || !all[0].Decision.DryRun || all[0].Answer != "" || !all[0].Decision.OverLimit() {
		t.Errorf("reported: %+v", all)
	}
}

func TestRulesDecideByAccountClientAndBackend(t *testing.T) {
	rules := func(c *policy.Config) {
		c.Policy.Default.Limit = 0
		c.Policy.Rules = []policy.RuleConfig{
			{Name: "kiosk", Match: policy.Match{Clients: []netip.Prefix{netip.MustParsePrefix("10.9.0.0/16")}}, Limit: 0},
			{Name: "alice", Match: policy.Match{Account: policy.MustPattern(`lab\ALI*`)}, Limit: policy.Unlimited},
			{Name: "site two", Match: policy.Match{Backend: "dc2"}, Limit: 1},
		}
	}
	onDC2 := func(_ *fakeConn, o *Options) { o.RuleName = "dc2" }
	s := newSite(t, rules)
	for name, tc := range map[string]struct {
		sec    *secured
		change func(*fakeConn, *Options)
		rule   string // that refuses the second bind; empty: none does
		first  bool   // also the first
	}{
		"account":          {sec: alice(t, rpcparse.LevelConnect)},
		"another account":  {sec: asUser(t, "bob", rpcparse.LevelConnect), rule: policy.DefaultRule, first: true},
		"unauthenticated":  {rule: policy.DefaultRule, first: true},
		"another backend":  {sec: asUser(t, "carol", rpcparse.LevelConnect), change: onDC2, rule: "site two"},
		"client":           {sec: alice(t, rpcparse.LevelConnect), change: from("10.9.1.1"), rule: "kiosk", first: true},
		"account wins dc2": {sec: alice(t, rpcparse.LevelConnect), change: onDC2},
	} {
		t.Run(name, func(t *testing.T) {
			s.t, s.events = t, nil
			d := s.connect()
			if tc.change != nil {
				d = s.connect(tc.change)
			}
			d.bound(tc.sec)
			call := nspiBind(2, tc.sec)
			if tc.first {
				d.refused(call)
			} else {
				d.granted(call, handle(1))
			}
			call.id = 3
			if tc.rule == "" {
				d.granted(call, handle(2))
			} else {
				d.refused(call)
			}
			for _, e := range eventsOf[LimitExceeded](s.events) {
				if e.Decision.Rule != tc.rule {
					t.Errorf("refused by %q, want %q", e.Decision.Rule, tc.rule)
				}
			}
			d.close()
		})
	}
}

// A client whose first bind is anonymous comes back under its name, on another
// connection of the association.
func TestAnonymousFailedBindIsNeitherCountedNorRefused(t *testing.T) {
	s := newSite(t, limit(1))
	anonymous := s.connect()
	group := anonymous.bound(nil)
	call := nspiBind(2, nil)
	anonymous.exchanged(call, call.bindStub(), call.failedStub(nspi.LogonFailed))
	sec := alice(t, rpcparse.LevelConnect)
	d := s.connect()
	d.joined(group, group, sec)
	d.granted(nspiBind(2, sec), handle(1))
	s.wantSlots(1, 0, 0, 0)
	if n := len(eventsOf[LimitExceeded](s.events)); n != 0 {
		t.Errorf("%d refusals", n)
	}
}

func TestRefusedBindLeavesOtherCallsAlone(t *testing.T) {
	s := newSite(t, limit(0))
	sec := alice(t, rpcparse.LevelConnect)
	d := s.connect()
	d.bound(sec)
	slow := rpc{id: 2, ctx: ctxOther, opnum: 1, sec: sec}
	request, answer := slow.request(t, make([]byte, 4)), slow.response(t, make([]byte, 4))
	d.client(request)
	d.wantAtServer(request)
	call := nspiBind(3, sec)
	wantLogonFailed(t, call, d.refused(call))
	d.server(answer)
	d.wantAtClient(answer)
	d.exchanged(rpc{id: 3, ctx: ctxOther, sec: sec}, make([]byte, 8), make([]byte, 8)) // the id is free again
}

// levels are those at which PDUs are signed or sealed.
var levels = []rpcparse.AuthLevel{rpcparse.LevelPacket, rpcparse.LevelIntegrity, rpcparse.LevelPrivacy}

func TestRefusalOnAProtectedContextWithoutKeysIsAFault(t *testing.T) {
	for _, level := range levels {
		t.Run(level.String(), func(t *testing.T) {
			s := newSite(t, limit(1), func(c *policy.Config) { c.Policy.Refusal.FaultStatus = rpcparse.StatusServerTooBusy })
			sec := alice(t, level)
			d := s.connect()
			d.bound(sec)
			d.granted(nspiBind(2, sec), handle(1))
			wantFault(t, 3, rpcparse.StatusServerTooBusy, d.refused(nspiBind(3, sec)))
			d.wantOpen()
			if all := eventsOf[LimitExceeded](s.events); len(all) != 1 || all[0].Answer != AnswerFault {
				t.Errorf("reported: %+v", all)
			}
		})
	}
}

// The server numbers PDUs, and has not seen the refused one.
func TestRequestOnADesyncedContextIsAnsweredAsAServerAnswersAGap(t *testing.T) {
	s := newSite(t, limit(1))
	sec := alice(t, rpcparse.LevelIntegrity)
	d := s.connect()
	d.bound(sec)
	d.granted(nspiBind(2, sec), handle(1))
	d.refused(nspiBind(3, sec))
	other := rpc{id: 4, ctx: ctxOther, opnum: 5, sec: sec}
	d.client(other.part(first).request(t, make([]byte, 32)))
	d.wantOpen()
	d.client(other.part(last).request(t, make([]byte, 32)))
	d.wantAtServer()
	got := d.atClient()
	if len(got) != 1 || !d.closed || !errors.Is(d.err, errDesynced) {
		t.Fatalf("the client has %x, closed: %v", got, d.err)
	}
	wantFault(t, 4, rpcparse.StatusSecPkgError, got[0])
}

func TestDesyncedContextLeavesTheOthersOfItsConnectionAlone(t *testing.T) {
	s := newSite(t, limit(1))
	old := alice(t, rpcparse.LevelPrivacy)
	d := s.connect()
	d.bound(old)
	d.granted(nspiBind(2, old), handle(1))
	d.refused(nspiBind(3, old))
	fresh := alice(t, rpcparse.LevelPrivacy)
	fresh.id = 8
	d.altered(fresh)
	d.exchanged(rpc{id: 4, ctx: ctxOther, opnum: 1, sec: fresh}, make([]byte, 16), make([]byte, 16))

	d.client(rpc{id: 5, ctx: ctxOther, opnum: 1, sec: old}.request(t, make([]byte, 16)))
	d.wantAtServer()
	got := d.atClient()
	if len(got) != 1 {
		t.Fatalf("the client has %d PDUs", len(got))
	}
	wantFault(t, 5, rpcparse.StatusSecPkgError, got[0])
	d.wantOpen()

	d.unbound(rpc{id: 6, sec: fresh}, handle(1)) // sealed: which one it is cannot be seen
	d.granted(nspiBind(7, fresh), handle(2))
	s.wantSlots(1, 0, 0, 0)
}

// The record of a context that the server has refused is out of the count, also for
// a bind under it that was decided only then.
func TestRefusedContextIsNotCountedAsDesynced(t *testing.T) {
	s := newSite(t, limit(0), func(c *policy.Config) { c.Identity.Unreadable = policy.UnreadableHold })
	var over func()
	s.deps.After = func(d time.Duration, f func()) { over = f }
	old, healthy, ghost := alice(t, rpcparse.LevelIntegrity), alice(t, rpcparse.LevelIntegrity), asUser(t, "bob", rpcparse.LevelIntegrity)
	healthy.id, ghost.id = 8, 9
	d := s.connect()
	d.bound(old)
	d.altered(healthy)
	d.refused(nspiBind(2, old))

	negotiate := ghost.negotiate()
	challenge := ghost.challenge(negotiate)
	v := ghost.verifier(negotiate)
	alter, err := rpcparse.AppendBind(nil, rpcparse.Bind{Header: header(rpcparse.PTypeAlterContext, 3), MaxXmitFrag: 5840, MaxRecvFrag: 5840,
		Contexts: rpcparse.NewContextList(offers[ctxOther]), HasVerifier: true, Verifier: v})
	d.client(must(t, alter, err), auth3PDU(t, 3, ghost.verifier(ghost.authenticate(challenge))))
	call := nspiBind(4, ghost)
	d.client(call.request(t, call.bindStub())) // is held: no server accepts a name before its own challenge
	d.server(rpc{id: 3}.fault(t, rpcparse.StatusAccessDenied))
	over()
	s.wake()
	d.atServer()
	d.atClient()

	d.client(rpc{id: 5, ctx: ctxOther, sec: old}.request(t, make([]byte, 16)))
	got := d.atClient()
	if len(got) != 1 {
		t.Fatalf("the client has %d PDUs", len(got))
	}
	wantFault(t, 5, rpcparse.StatusSecPkgError, got[0])
	d.wantOpen()
	d.exchanged(rpc{id: 6, ctx: ctxOther, sec: healthy}, make([]byte, 16), make([]byte, 16))
}

// A context that is desynced before the server has answered its first token, and is
// then refused, is gone: what is said of the others must not depend on it.
func TestDesyncedContextThatTheServerRefusesIsForgotten(t *testing.T) {
	s := newSite(t, limit(0))
	one := alice(t, rpcparse.LevelIntegrity)
	d := s.connect()
	d.bound(one)
	two := asUser(t, "bob", rpcparse.LevelIntegrity)
	two.id = 9
	negotiate := two.negotiate()
	v := two.verifier(negotiate)
	alter, err := rpcparse.AppendBind(nil, rpcparse.Bind{Header: header(rpcparse.PTypeAlterContext, 2), MaxXmitFrag: 5840, MaxRecvFrag: 5840,
		Contexts:    rpcparse.NewContextList(rpcparse.ContextElement{ID: 40, Abstract: otherInterface, Transfers: rpcparse.NewSyntaxList(rpcparse.SyntaxNDR)}),
		HasVerifier: true, Verifier: v})
	must(t, alter, err)
	two.authenticate(two.challenge(negotiate)) // so that the test can sign; the server does not see it
	d.client(alter)
	d.wantAtServer(alter)
	wantFault(t, 3, rpcparse.StatusAccessDenied, d.refused(nspiBind(3, two)))
	d.server(rpc{id: 2}.fault(t, rpcparse.StatusAccessDenied))
	d.atClient()
	if n := d.inspector.conv.SecurityContexts(); n != 1 || d.inspector.protection.desynced != 0 {
		t.Fatalf("%d security contexts, %d of them desynced", n, d.inspector.protection.desynced)
	}
	d.exchanged(rpc{id: 4, ctx: ctxOther, sec: one}, make([]byte, 16), make([]byte, 16))
}

func TestBindThatTheServerDoesNotGrantFreesItsSlot(t *testing.T) {
	sec := func() *secured { return alice(t, rpcparse.LevelConnect) }
	for name, tc := range map[string]struct {
		sec    *secured
		answer func(rpc) []byte
		want   BindAnswered
	}{
		"logon failed": {sec(), func(r rpc) []byte { return r.response(t, r.failedStub(nspi.LogonFailed)) },
			BindAnswered{Result: ResultFailed, LogonFailed: true, Account: `LAB\alice`}},
		"another code": {sec(), func(r rpc) []byte { return r.response(t, r.failedStub(0x80040102)) }, BindAnswered{Result: ResultFailed}},
		"fault":        {sec(), func(r rpc) []byte { return r.fault(t, rpcparse.StatusAccessDenied) }, BindAnswered{Result: ResultFaulted}},
		"anonymous":    {nil, func(r rpc) []byte { return r.response(t, r.failedStub(nspi.LogonFailed)) }, BindAnswered{Result: ResultAnonymous}},
		"no handle":    {sec(), func(r rpc) []byte { return r.response(t, r.grantedStub(nspi.Handle{})) }, BindAnswered{Result: ResultFailed}},
		"malformed":    {sec(), func(r rpc) []byte { return r.response(t, []byte("what is this")) }, BindAnswered{Result: ResultFailed}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, limit(1))
			d := s.connect()
			d.bound(tc.sec)
			call := nspiBind(2, tc.sec)
			request := call.request(t, call.bindStub())
			answer := tc.answer(call)
			d.client(request)
			if n := s.table.Count(); n.Reserved+n.Provisional != 1 {
				t.Errorf("in flight: %+v", n)
			}
			d.server(answer)
			d.wantAtServer(request)
			d.wantAtClient(answer)
			s.wantSlots(0, 0, 0, 0)
			tc.want.Source = Source{Client: d.fakeConn.client, Backend: "dc1"}
			if all := eventsOf[BindAnswered](s.events); len(all) != 1 || all[0] != tc.want {
				t.Errorf("reported %+v, want %+v", all, tc.want)
			}
			d.granted(nspiBind(3, tc.sec), handle(1))
			if n := len(eventsOf[LimitExceeded](s.events)); n != 0 {
				t.Errorf("%d refusals", n)
			}
		})
	}
}

// A request that comes before the bind_ack may be an NspiBind: it waits until that
// is known, with what follows it.
func TestBindSentBeforeTheBindAckIsCounted(t *testing.T) {
	for _, n := range []policy.Limit{0, 1} {
		t.Run(fmt.Sprint("limit ", n), func(t *testing.T) {
			s := newSite(t, limit(n))
			d := s.connect()
			bind, ack := bindPDU(t, rpcparse.PTypeBind, 1, 0, nil), ackPDU(t, rpcparse.PTypeBindAck, 1, 0x77, nil)
			call := nspiBind(2, nil)
			request := call.request(t, call.bindStub())
			behind := rpc{id: 3, ctx: ctxOther, opnum: 9}.request(t, make([]byte, 8))
			d.client(bind, request, behind)
			d.wantAtServer(bind)
			s.wantSlots(0, 0, 0, 0)
			d.server(ack)
			got := d.atClient()
			if n == 0 {
				d.wantAtServer(behind)
				if len(got) != 2 {
					t.Fatalf("the client has %d PDUs", len(got))
				}
				wantLogonFailed(t, call, got[1])
				return
			}
			d.wantAtServer(request, behind)
			s.wantSlots(0, 1, 0, 0)
		})
	}
}

// Sessions whose stubs cannot be read are counted by the lengths of the stubs.
func TestSealedSessionsWithoutKeysAreCounted(t *testing.T) {
	s := newSite(t, limit(2))
	sec := alice(t, rpcparse.LevelPrivacy)
	d := s.connect()
	d.bound(sec)
	d.granted(nspiBind(2, sec), handle(1))
	call := nspiBind(3, sec)
	d.exchanged(call, call.bindStub(), call.failedStub(nspi.LogonFailed))
	s.wantSlots(1, 0, 0, 0)
	d.granted(nspiBind(4, sec), handle(2))
	if n := s.table.Count(); n.Opaque != 2 {
		t.Errorf("%d of %d sessions without a handle", n.Opaque, n.Sessions)
	}
	d.unbound(rpc{id: 5, sec: sec}, handle(1))
	s.wantSlots(1, 0, 0, 0)
}

func TestUnbindEndsTheSessionThatItsAnswerNames(t *testing.T) {
	for name, tc := range map[string]struct {
		names  nspi.Handle
		answer func(rpc) []byte
		left   int
		result AnswerResult
	}{
		"confirmed":           {handle(1), func(r rpc) []byte { return r.response(t, r.unboundStub(nspi.UnbindSuccess)) }, 1, ResultGranted},
		"return code 2":       {handle(1), func(r rpc) []byte { return r.response(t, r.unboundStub(nspi.UnbindFailure)) }, 1, ResultFailed},
		"context mismatch":    {handle(1), func(r rpc) []byte { return r.fault(t, rpcparse.StatusContextMismatch) }, 1, ResultFaulted},
		"another fault":       {handle(1), func(r rpc) []byte { return r.fault(t, rpcparse.StatusAccessDenied) }, 2, ResultFaulted},
		"another code":        {handle(1), func(r rpc) []byte { return r.response(t, r.unboundStub(0x80040115)) }, 2, ResultFailed},
		"a handle it has not": {handle(9), func(r rpc) []byte { return r.fault(t, rpcparse.StatusContextMismatch) }, 2, ResultFaulted},
		"confirmed, unknown":  {handle(9), func(r rpc) []byte { return r.response(t, r.unboundStub(nspi.UnbindSuccess)) }, 2, ResultGranted},
		"malformed":           {handle(1), func(r rpc) []byte { return r.response(t, make([]byte, 3)) }, 2, ResultFailed},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, limit(2))
			d := s.connect()
			d.bound(nil)
			d.granted(nspiBind(2, nil), handle(1))
			d.granted(nspiBind(3, nil), handle(2))
			call := rpc{id: 4, opnum: nspi.OpnumUnbind}
			request, answer := call.request(t, call.unbindStub(tc.names)), tc.answer(call)
			d.client(request).server(answer)
			d.wantAtServer(request)
			d.wantAtClient(answer)
			s.wantSlots(tc.left, 0, 0, 0)
			if all := eventsOf[UnbindAnswered](s.events); len(all) != 1 || all[0].Result != tc.result {
				t.Errorf("reported %+v, want %v", all, tc.result)
			}
		})
	}
}

// Of a sealed request the user is known, the session is not.
func TestRequestsOfASessionEndItsIdleTime(t *testing.T) {
	for _, level := range []rpcparse.AuthLevel{0, rpcparse.LevelPrivacy} {
		s := newSite(t)
		var sec *secured
		if level != 0 {
			sec = alice(t, level)
		}
		d := s.connect()
		d.bound(sec)
		d.granted(nspiBind(2, sec), handle(1))
		idle := func() time.Duration { return s.table.Snapshot()[0].Idle }
		s.pass(time.Minute)
		if idle() != time.Minute {
			t.Fatalf("level %v: idle for %v after a minute", level, idle())
		}
		used := rpc{id: 3, opnum: 3, sec: sec} // NspiUpdateStat
		d.client(used.request(t, used.unbindStub(handle(1))))
		if idle() != 0 {
			t.Errorf("level %v: idle for %v after a request", level, idle())
		}
	}
}

// What the domain controller held for the connection is over.
func TestSessionsEndWhenTheServerEndsItsStream(t *testing.T) {
	s := newSite(t, limit(1))
	d := s.connect()
	d.bound(nil)
	d.granted(nspiBind(2, nil), handle(1))
	d.inspector.ServerClosed()
	s.wantSlots(0, 0, 0, 0)
	late := nspiBind(3, nil)
	request := late.request(t, late.bindStub())
	d.client(request)
	d.wantAtServer(request) // the server has ended its stream and cannot grant it
	s.wantSlots(0, 0, 0, 0)
	if n := len(eventsOf[LimitExceeded](s.events)); n != 0 {
		t.Errorf("%d refusals", n)
	}
}

func TestConnectionThatEndsInTheMiddleOfABindLeavesNoSlot(t *testing.T) {
	s := newSite(t, limit(1))
	d := s.connect()
	d.bound(nil)
	call := nspiBind(2, nil)
	d.client(call.request(t, call.bindStub()))
	s.wantSlots(0, 1, 0, 0)
	d.close()
	s.wantSlots(0, 0, 0, 0)
}
