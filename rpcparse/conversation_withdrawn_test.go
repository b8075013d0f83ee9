package rpcparse

import (
	"slices"
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// deciding plays a whole conversation to a reader that withdraws what refuse
// says, and returns the events of all other PDUs.
func deciding(t *testing.T, pdus []recorded, refuse func(*Event) bool) *script {
	s := newScript(t)
	s.c = NewConversation(ConversationOptions{SkipWithdrawn: true})
	for _, r := range pdus {
		before := len(s.events)
		s.step(r)
		if s.err != nil {
			return s
		}
		for _, e := range slices.Clone(s.events[before:]) {
			if !refuse(&e) {
				continue
			}
			s.events = s.events[:before]
			if e.Kind == EventAssociationRequested {
				s.c.WithdrawBind(e.CallID)
			} else {
				s.c.Withdraw(e.Call)
			}
		}
	}
	return s
}

func is(kind EventKind) func(*Event) bool { return func(e *Event) bool { return e.Kind == kind } }

// A reader that decides against an NspiBind which the server has granted long ago
// ignores the answer, and follows the rest.
func TestAnswersToWithdrawnCallsAreSkipped(t *testing.T) {
	for name, pdus := range wholeConversations(t) {
		for _, kind := range []EventKind{EventBindRequested, EventUnbindRequested} {
			s := deciding(t, pdus, is(kind))
			if s.err != nil {
				t.Errorf("%s, %v withdrawn: %v", name, kind, s.err)
				continue
			}
			answer := map[EventKind]EventKind{EventBindRequested: EventBindAnswered, EventUnbindRequested: EventUnbindAnswered}[kind]
			if slices.ContainsFunc(s.events, func(e Event) bool { return e.Kind == answer }) {
				t.Errorf("%s, %v withdrawn: %s", name, kind, s.names())
			}
			if s.c.calls != nil || s.c.withdrawn.calls != nil || s.c.Responding() {
				t.Errorf("%s, %v withdrawn: not at rest in the end: %+v", name, kind, s.c)
			}
		}
	}
}

func TestWhatFollowsAWithdrawnBindIsSkipped(t *testing.T) {
	for name, pdus := range wholeConversations(t) {
		s := deciding(t, pdus, is(EventAssociationRequested))
		if s.err != nil || len(s.events) != 0 || s.c.Bound() || s.c.Handshaking() {
			t.Errorf("%s: %v, error %v", name, s.events, s.err)
		}
	}
}

func TestBindBehindAWithdrawnOneIsFollowed(t *testing.T) {
	s := newScript(t)
	s.c = NewConversation(ConversationOptions{SkipWithdrawn: true})
	s.client(s.bindPDU(nil))
	s.c.WithdrawBind(1)
	s.server(must(t)(AppendBindNak(nil, BindNak{Header: whole(PTypeBindNak, 1)})))
	s.client(s.bindPDU(nil)).server(s.ackPDU(PTypeBindAck, 1, nil, acceptNDR))
	if e := s.last(); e.Kind != EventAssociationJoined {
		t.Errorf("got %v", s.events)
	}
}

// The client sees a bind_nak, and may bind again with another level.
func TestSecurityContextOfAWithdrawnBindIsForgotten(t *testing.T) {
	s := newScript(t)
	s.client(s.bindPDU(ntlmVerifier(7, LevelIntegrity, negotiateToken)))
	s.c.WithdrawBind(1)
	s.client(s.bindPDU(ntlmVerifier(7, LevelPrivacy, negotiateToken)))
	s.wantNoError()
	if n := s.c.SecurityContexts(); n != 1 || s.c.security[0].Level != LevelPrivacy {
		t.Errorf("%d security contexts", n)
	}
}

func TestWithdrawnCallProvesNoUser(t *testing.T) {
	s := authenticated(t, LevelIntegrity)
	s.c.opts.SkipWithdrawn = true
	v := ntlmVerifier(7, LevelIntegrity, make([]byte, 16))
	s.client(s.request(fragment{callID: 2, stub: bindStub(nspi.NDR), auth: v}))
	s.c.Withdraw(s.last().Call)
	s.server(s.response(2, FlagFirstFrag, grantedStub(nspi.NDR)[:8], v), s.response(2, FlagLastFrag, grantedStub(nspi.NDR)[8:], v))
	s.wantNoError()
	if s.c.security[0].Accepted() || s.last().Kind != EventBindRequested {
		t.Errorf("got %v", s.events)
	}
}

func TestIDOfAWithdrawnCallMayBeUsedAgain(t *testing.T) {
	for name, answered := range map[string]bool{"after its answer": true, "before its answer": false} {
		s := bound(t)
		s.c.opts.SkipWithdrawn = true
		s.client(s.bindCall(2))
		s.c.Withdraw(s.last().Call)
		if answered {
			s.server(s.response(2, 0, grantedStub(nspi.NDR), nil))
		}
		s.client(s.bindCall(2)).server(s.response(2, 0, grantedStub(nspi.NDR), nil))
		if e := s.last(); e.Kind != EventBindAnswered || !e.Granted {
			t.Errorf("%s: %v", name, s.events)
		}
	}
}

func TestWithdrawnCallsWithoutAnswersAreCapped(t *testing.T) {
	s := bound(t)
	s.c.opts.SkipWithdrawn = true
	for id := range uint32(2 * MaxCalls) {
		s.client(s.bindCall(id))
		s.c.Withdraw(s.last().Call)
	}
	s.wantNoError()
	if n := len(s.c.withdrawn.calls); n != MaxCalls {
		t.Errorf("%d are remembered, want the newest %d", n, MaxCalls)
	}
}

// A relay forwards nothing that it withdraws: no answer comes, and an answer under
// that id is one to a call that was never made.
func TestWithdrawnCallOfARelayLeavesNothingBehind(t *testing.T) {
	s := bound(t)
	s.client(s.bindCall(2))
	s.c.Withdraw(s.last().Call)
	if s.c.calls != nil || s.c.withdrawn.calls != nil {
		t.Errorf("%+v", s.c)
	}
}
