package relay

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"
)

// resetMoved calls ResetMoved for the connections of some probes, and returns what it
// says at its end.
func (r *rig) resetMoved(linked bool, moved ...*probe) (ended, waiting int) {
	r.Helper()
	done := make(chan [2]int, 1)
	m := Moved{
		Linked: func(server netip.Addr) bool { return linked && server == thisServer },
		Done:   func(ended, waiting int) { done <- [2]int{ended, waiting} },
	}
	if len(moved) > 0 {
		m.Is = func(h Handler) bool {
			for _, p := range moved {
				if h == Handler(p) {
					return true
				}
			}
			return false
		}
	}
	r.group.ResetMoved(m)
	counts := await(r, done)
	return counts[0], counts[1]
}

func TestMovedConnectionsAreResetOnBothSides(t *testing.T) {
	const n = 2*sweepConns + 3
	r := newRig(t, Options{}, nil)
	clients, servers, probes := make([]*net.TCPConn, n), make([]*net.TCPConn, n), make([]*probe, n)
	for i := range n {
		clients[i], servers[i], probes[i] = r.connect()
		r.write(clients[i], request(1, 100))
		r.expect(servers[i], request(1, 100))
	}
	if ended, waiting := r.resetMoved(true, probes[1:]...); ended != n-1 || waiting != 0 {
		t.Errorf("%d ended and %d waiting, want %d and 0", ended, waiting, n-1)
	}
	for i := 1; i < n; i++ {
		r.ends(probes[i], CauseMoved)
		r.expectReset(clients[i])
		r.expectReset(servers[i])
	}
	r.write(servers[0], response(1, 100)) // another path's
	r.expect(clients[0], response(1, 100))
}

// TestMovedConnectionWaitsForItsServer while nothing reaches that, however long that
// takes: a suspicion that the server is gone, or keep-alives, must not end it unheard.
func TestMovedConnectionWaitsForItsServer(t *testing.T) {
	r := newRig(t, Options{KeepAlive: time.Second}, nil)
	client, server, p := r.connect()
	r.write(client, request(1, 100))
	r.expect(server, request(1, 100))
	for _, moved := range [][]*probe{{p}, nil} {
		if ended, waiting := r.resetMoved(false, moved...); ended != 0 || waiting != 1 {
			t.Fatalf("%d ended and %d waiting, want 0 and 1", ended, waiting)
		}
	}
	r.group.CloseServer(thisServer, 0)
	r.swept()
	r.write(client, request(2, 100))
	r.expect(server, request(2, 100))
	other, itsServer, _ := r.connect() // since then
	if ended, waiting := r.resetMoved(true); ended != 1 || waiting != 0 {
		t.Errorf("%d ended and %d waiting, want 1 and 0", ended, waiting)
	}
	r.ends(p, CauseMoved)
	r.expectReset(client)
	r.expectReset(server)
	r.write(other, request(1, 100))
	r.expect(itsServer, request(1, 100))
}

// TestMovedIsAnsweredByAGroupThatEnds: who waits for the answer must not wait for ever.
func TestMovedIsAnsweredByAGroupThatEnds(t *testing.T) {
	r := newRig(t, Options{Loops: 2}, nil)
	client, server, _ := r.connect() // keeps its loop
	stopped := make(chan error, 1)
	go func() { stopped <- r.group.Shutdown(t.Context()) }()
	for range 100 {
		r.resetMoved(true)
	}
	r.must(client.Close())
	r.must(server.Close())
	r.must(await(r, stopped))
	if ended, waiting := r.resetMoved(true); ended+waiting != 0 {
		t.Errorf("%d ended and %d waiting after the end", ended, waiting)
	}
}

// TestMovedConnectionThatStillWaitsAtTheEndIsKept for the next run: its server has not
// heard of its end.
func TestMovedConnectionThatStillWaitsAtTheEndIsKept(t *testing.T) {
	k := &kept{now: map[int32][2]netip.AddrPort{}, room: 2}
	r := newRig(t, Options{Record: k}, nil)
	_, _, moved := r.connect()
	r.connect()
	r.eventually("both are kept", func() bool { return k.size() == 2 })
	r.resetMoved(false, moved)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = r.group.Shutdown(ctx)
	if n := k.size(); n != 1 {
		t.Errorf("%d are kept, want 1", n)
	}
}
