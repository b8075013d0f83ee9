package rpcparse

import (
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// reading is a script of somebody who reads a capture.
func reading(t testing.TB) *script {
	s := newScript(t)
	s.c = NewConversation(ConversationOptions{FollowAll: true})
	return s
}

func TestWhatMissedPDUsExplainIsNoError(t *testing.T) {
	first := func(s *script, id uint32) []byte {
		return s.request(fragment{callID: id, ctx: ctxOther, flags: FlagFirstFrag, stub: []byte("x")})
	}
	later := func(s *script, id uint32) []byte {
		return s.request(fragment{callID: id, ctx: ctxOther, flags: FlagLastFrag, stub: []byte("x")})
	}
	call := func(s *script, id uint32) []byte {
		return s.request(fragment{callID: id, ctx: ctxOther, opnum: 7, stub: []byte("x")})
	}
	tests := []struct {
		name string
		dir  Direction
		play func(s *script, missed func())
	}{
		{"a call without a bind", ClientToServer, func(s *script, missed func()) {
			missed()
			s.client(call(s, 1))
		}},
		{"an answer without a handshake", ClientToServer, func(s *script, missed func()) {
			missed()
			s.server(s.ackPDU(PTypeAlterContextResp, 1, nil, acceptNDR))
		}},
		{"a later fragment without a first", ClientToServer, func(s *script, missed func()) {
			missed()
			s.client(later(s, 2))
		}},
		{"a first fragment twice", ClientToServer, func(s *script, missed func()) {
			s.client(s.bindPDU(nil), first(s, 2))
			missed()
			s.client(first(s, 2))
		}},
		{"a call id that is used again", ServerToClient, func(s *script, missed func()) {
			s.client(s.bindPDU(nil), call(s, 2))
			missed()
			s.client(call(s, 2))
		}},
		{"handshakes without answers", ServerToClient, func(s *script, missed func()) {
			missed()
			for n := range uint32(2 * maxPendingBinds) {
				s.client(alter(s.t, n, 9, negotiateToken))
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := reading(t)
			tt.play(s, func() { s.c.Missed(tt.dir) })
			s.wantNoError()

			strict := reading(t)
			tt.play(strict, func() {})
			if strict.err == nil {
				t.Error("no error where nothing was missed")
			}
		})
	}
}

// The bind that the bind_ack accepts is the one behind the refusal.
func TestBindBehindAMissedRefusalTakesThePlaceOfTheRefusedOne(t *testing.T) {
	s := reading(t)
	s.client(must(t)(AppendBind(nil, Bind{Header: whole(PTypeBind, 1), Contexts: NewContextList(
		ContextElement{ID: ctxNSPI, Abstract: otherInterface, Transfers: NewSyntaxList(SyntaxNDR)})})))
	s.c.Missed(ServerToClient)
	s.client(s.bindPDU(nil)).server(s.ackPDU(PTypeBindAck, 1, nil, acceptNDR, acceptNDR64, acceptNDR, acceptNDR))
	s.wantNoError()
	if !s.c.Context(ctxNSPI).IsNSPI() || s.c.Handshaking() {
		t.Errorf("context %v, %d binds wait for their answers", s.c.Context(ctxNSPI), len(s.c.binds))
	}
}

func TestMissedPDUsLeaveContextsAndCallsKnown(t *testing.T) {
	s := reading(t)
	s.client(s.bindPDU(nil)).server(s.ackPDU(PTypeBindAck, 1, nil, acceptNDR, acceptNDR64, acceptNDR, acceptNDR))
	s.client(s.request(fragment{callID: 2, ctx: ctxNSPI, opnum: nspi.OpnumBind, stub: bindStub(nspi.NDR)}))
	s.c.Missed(ServerToClient)
	s.server(s.response(2, 0, grantedStub(nspi.NDR), nil))
	s.wantNoError()
	if e := s.last(); e.Kind != EventBindAnswered || !e.Granted || e.Handle != testHandle {
		t.Errorf("event %v, want the bind granted", e)
	}
	if p := s.c.Context(ctxOther); p == nil || p.Abstract != otherInterface {
		t.Errorf("Context(%d) = %v, want %v", ctxOther, p, otherInterface)
	}
	if p := s.c.Context(99); p != nil {
		t.Errorf("Context(99) = %v, which nobody offered", p)
	}
}

func TestReaderOfOneDirectionForgetsTheOldestCalls(t *testing.T) {
	for reader, opts := range readers {
		s := newScript(t)
		s.c = NewConversation(opts)
		s.client(s.bindPDU(nil)).server(s.ackPDU(PTypeBindAck, 1, nil, acceptNDR, acceptNDR64, acceptNDR, acceptNDR))
		for id := range uint32(2 * MaxCalls) {
			s.client(s.mapCall(id + 2))
		}
		s.wantNoError()
		if n := len(s.c.calls); n > MaxCalls {
			t.Errorf("reader %s: %d calls are followed, at most %d", reader, n, MaxCalls)
		}
		if s.c.calls.find(2) != nil || s.c.calls.find(2*MaxCalls+1) == nil {
			t.Errorf("reader %s: the oldest call is followed, or the newest is not", reader)
		}
	}
}
