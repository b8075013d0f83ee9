package rpcparse

import (
	"runtime"
	"testing"
	"weak"

	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

func TestAnsweredCallIsKeptNowhere(t *testing.T) {
	for _, opnum := range []uint16{nspi.OpnumBind, nspi.OpnumUnbind} {
		s := bound(t)
		s.client(s.request(fragment{callID: 2, opnum: opnum, stub: unbindStub()}))
		call := weak.Make(s.last().Call)
		runtime.GC()
		if call.Value() == nil {
			t.Fatal("a call that waits for its answer is not kept")
		}
		s.server(s.response(2, 0, grantedStub(nspi.NDR), nil))
		s.events, s.pdu = nil, nil
		runtime.GC()
		if call.Value() != nil {
			t.Errorf("%s is kept after its answer", nspi.OpnumName(opnum))
		}
		runtime.KeepAlive(s.c)
	}
}

// TestIdleConversationWithASessionIsSmall pins what a connection with one session costs
// while nothing happens, in bytes: leaky clients hold thousands of them.
func TestIdleConversationWithASessionIsSmall(t *testing.T) {
	const n = 2000
	for name, tc := range map[string]struct {
		start func(testing.TB) *script
		most  uint64
	}{
		"no authentication": {bound, 560},
		"NTLM":              {func(t testing.TB) *script { return authenticated(t, LevelConnect) }, 700},
	} {
		idle := make([]*Conversation, n)
		before := heap()
		for i := range idle {
			s := tc.start(t)
			s.client(s.bindCall(2)).server(s.response(2, 0, grantedStub(nspi.NDR), nil))
			if e := s.last(); !e.Granted {
				t.Fatal(e)
			}
			idle[i] = s.c
		}
		if each := (heap() - before) / n; each > tc.most {
			t.Errorf("%s: %d bytes each, at most %d", name, each, tc.most)
		} else {
			t.Logf("%s: %d bytes each", name, each)
		}
		runtime.KeepAlive(idle)
	}
}

// heap returns how many bytes are in use that are still reachable.
func heap() uint64 {
	runtime.GC()
	runtime.GC() // what the first one left to be swept
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
