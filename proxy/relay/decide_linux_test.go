package relay

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// always is a decision that does not depend on the handler.
func always(v Verdict) Decision { return func(Handler) Verdict { return v } }

// decided has d decide on p's connection, and waits until it has been asked.
func (r *rig) decided(p *probe, d Decision) {
	r.Helper()
	asked := make(chan struct{})
	if !p.conn.Decide(func(h Handler) Verdict { defer close(asked); return d(h) }) {
		r.Fatal("the decision is not taken")
	}
	await(r, asked)
}

func TestDecisionClosesAConnectionWithAnAnswer(t *testing.T) {
	why, answer := errors.New("an administrator"), response(9, 5000)
	r := newRig(t, Options{}, nil)
	client, server, p := r.connect()
	r.write(client, request(1, 100))
	r.expect(server, request(1, 100))
	r.decided(p, func(h Handler) Verdict {
		if h != Handler(p) {
			t.Errorf("asked with %v, not with the connection's handler", h)
		}
		return Verdict{Action: Close, ToClient: answer, ToServer: request(9, 60), Err: why}
	})
	r.expect(client, answer)
	r.expectEnd(client)
	r.expect(server, request(9, 60))
	r.expectEnd(server)
	r.must(errors.Join(client.Close(), server.Close()))
	if got := r.ends(p, CauseVerdict); !errors.Is(got.Err, why) {
		t.Errorf("closed because of %v, want the decision's reason", got)
	}
}

func TestDecisionsPDUsStandBeforeAnIncompletePDU(t *testing.T) {
	r := newRig(t, Options{}, nil)
	client, server, p := r.connect()
	ask, answer := request(1, 5840), response(1, 5840)
	r.write(client, ask[:1000])
	r.write(server, answer[:10])
	r.eventually("the parts are there", func() bool {
		s := r.group.Stats()
		return s.Client.Bytes == 1000 && s.Server.Bytes == 10
	})
	r.decided(p, always(Verdict{ToServer: request(8, 100), ToClient: response(9, 200)}))
	r.expect(server, request(8, 100))
	r.expect(client, response(9, 200))
	r.write(client, ask[1000:])
	r.write(server, answer[10:])
	r.expect(server, ask)
	r.expect(client, answer)
	if s := r.group.Stats(); s.Client.Injected != 1 || s.Server.Injected != 1 || s.Client.PDUs != 1 || s.Server.PDUs != 1 {
		t.Errorf("counters are wrong: %+v", s)
	}
}

func TestDecisionsPDUsStandBeforeAHeldPDU(t *testing.T) {
	r := newRig(t, Options{}, func(p *probe) { holding(p, 1) })
	client, server, p := r.connect()
	r.write(client, slices.Concat(request(1, 100), request(2, 100)))
	r.write(server, slices.Concat(response(1, 100), response(2, 100)))
	r.eventually("both are held", func() bool {
		s := r.group.Stats()
		return s.Client.Bytes == 200 && s.Server.Bytes == 200
	})
	for _, action := range []Action{Forward, Drop, Hold} { // of which the last two have no meaning here
		r.decided(p, always(Verdict{Action: action, ToServer: request(8, 100), ToClient: response(9, 200)}))
		r.expect(server, request(8, 100))
		r.expect(client, response(9, 200))
		r.expectNothing(server)
		r.expectNothing(client)
	}
	p.conn.Wake()
	r.expect(server, slices.Concat(request(1, 100), request(2, 100)))
	r.expect(client, slices.Concat(response(1, 100), response(2, 100)))
}

func TestDecisionsPDUsWaitBehindOneThatIsPartlySent(t *testing.T) {
	r := newRig(t, Options{}, nil)
	client, server, p := r.connect()
	accepted := r.clog(server) / 5840 // and one more that the relay has not read
	r.decided(p, always(Verdict{ToClient: response(9, 200)}))
	for i := range accepted + 2 {
		want := response(1, 5840)
		if i == accepted {
			want = response(9, 200)
		}
		r.expect(client, want)
	}
}

func TestDecisionForAClientThatDoesNotReadIsBounded(t *testing.T) {
	r := newRig(t, Options{}, nil)
	client, server, p := r.connect()
	r.clog(server)
	var asked atomic.Int32
	more := func(Handler) Verdict { asked.Add(1); return Verdict{ToClient: response(9, 60000)} }
	r.eventually("the connection ends", func() bool { p.conn.Decide(more); return p.ends.Load() > 0 })
	if got := r.ends(p, CauseVerdict); !errors.Is(got.Err, errQueueFull) {
		t.Errorf("closed because of %v", got)
	}
	if n := asked.Load(); n > maxQueued/60000+3 {
		t.Errorf("%d PDUs were taken for a client that does not read", n)
	}
	r.expectReset(client)
}

func TestDecisionWhileDialling(t *testing.T) {
	t.Run("goes on", func(t *testing.T) {
		r := newRig(t, Options{}, nil)
		silent := silentServer(r, otherServer)
		r.listen(ListenOptions{Route: func(c *Conn, attempt int) Route {
			return Route{Handler: r.newHandler(c), Server: []netip.AddrPort{silent, r.target()}[attempt]}
		}})
		client := r.client()
		r.write(client, request(1, 100))
		first := r.handler()
		r.decided(first, func(h Handler) Verdict {
			if h != Handler(first) {
				t.Error("asked with another handler than the attempt's")
			}
			return Verdict{ToClient: response(9, 100), ToServer: request(9, 100)}
		})
		r.group.CloseServer(otherServer, 0)
		r.ends(first, CauseServerGone)
		server, second := r.accept(), r.handler()
		r.expect(server, request(1, 100))
		r.write(server, response(1, 100))
		r.expect(client, response(1, 100))
		r.decided(second, func(h Handler) Verdict {
			if h != Handler(second) {
				t.Error("asked with an earlier attempt's handler")
			}
			return Verdict{}
		})
	})
	t.Run("closes", func(t *testing.T) {
		why := errors.New("why")
		r := newRig(t, Options{}, nil)
		r.listen(ListenOptions{Route: func(c *Conn, attempt int) Route {
			if attempt > 0 {
				t.Error("another attempt")
			}
			return Route{Handler: r.newHandler(c), Server: silentServer(r, otherServer)}
		}})
		client := r.client()
		p := r.handler()
		r.decided(p, always(Verdict{Action: Close, ToClient: response(9, 100), Err: why}))
		r.expectReset(client)
		if got := r.ends(p, CauseVerdict); !errors.Is(got.Err, why) {
			t.Errorf("closed because of %v", got)
		}
	})
}

func TestDecisionMadeInARouter(t *testing.T) {
	asked := make(chan Handler, 1)
	r := newRig(t, Options{}, nil)
	r.listen(ListenOptions{Route: func(c *Conn, attempt int) Route {
		c.Decide(func(h Handler) Verdict { asked <- h; return Verdict{} })
		return r.to(r.target())(c, attempt)
	}})
	_, _, p := r.connect()
	if h := await(r, asked); h != Handler(p) {
		t.Errorf("asked with %v", h)
	}
}

func TestDecisionMadeInAHandlerFollowsItsVerdict(t *testing.T) {
	r := newRig(t, Options{}, func(p *probe) {
		p.fromClient = func(rpcparse.Header, []byte) Verdict {
			p.conn.Decide(always(Verdict{ToServer: request(9, 50)}))
			return Verdict{ToServer: request(8, 50)}
		}
	})
	client, server, _ := r.connect()
	r.write(client, request(1, 100))
	r.expect(server, slices.Concat(request(1, 100), request(8, 50), request(9, 50)))
}

// A connection that has ended, or is being closed, is not decided on.
func TestDecisionComesTooLate(t *testing.T) {
	late := func(Handler) Verdict { t.Error("asked too late"); return Verdict{} }
	t.Run("closing", func(t *testing.T) {
		r := newRig(t, Options{}, nil)
		client, server, p := r.connect()
		r.decided(p, always(Verdict{Action: Close}))
		r.expectEnd(client) // it has read the end and does not send its own yet
		p.conn.Decide(late)
		r.group.DecideAll(late)
		r.swept()
		_, _ = client.Close(), server.Close()
		r.ends(p, CauseVerdict)
	})
	t.Run("gone", func(t *testing.T) {
		r := newRig(t, Options{Loops: 1}, nil)
		client, server, p := r.connect()
		_, _ = client.Close(), server.Close()
		r.ends(p, CauseEnd)
		for range 2 * maxDecisions {
			p.conn.Decide(late)
		}
		_, _, q := r.connect()
		r.decided(q, always(Verdict{})) // the decisions on the other one would have come first
	})
	t.Run("shut down", func(t *testing.T) {
		r := newRig(t, Options{}, nil)
		_, _, p := r.connect()
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = r.group.Shutdown(ctx)
		if p.conn.Decide(late) {
			t.Error("a decision was taken after the end")
		}
		r.group.DecideAll(late)
		r.ends(p, CauseShutdown)
	})
}

func TestDecisionsRaceWithTheEnd(t *testing.T) {
	r := newRig(t, Options{DrainTimeout: 5 * time.Millisecond}, nil)
	for i := range 100 {
		client, _, p := r.connect()
		r.write(client, request(1, 100))
		var callers sync.WaitGroup
		for range 2 {
			callers.Go(func() {
				for p.ends.Load() == 0 {
					p.conn.Decide(func(h Handler) Verdict {
						if h.(*probe).ends.Load() > 0 {
							t.Error("asked after the end")
						}
						return Verdict{ToClient: response(9, 50), ToServer: request(9, 50)}
					})
				}
			})
		}
		if i%2 == 0 {
			r.must(client.SetLinger(0))
			r.must(client.Close())
		} else {
			p.conn.Decide(always(Verdict{Action: Close}))
			r.must(client.Close())
		}
		await(r, p.closed)
		callers.Wait()
	}
}

func TestDecisionsOnOneConnectionAreBoundedAndInOrder(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	r := newRig(t, Options{}, func(p *probe) {
		p.fromClient = func(rpcparse.Header, []byte) Verdict {
			close(entered)
			<-leave
			return Verdict{}
		}
	})
	client, server, p := r.connect()
	r.write(client, request(1, 100))
	await(r, entered)
	var want []byte
	for i := range uint32(maxDecisions) {
		if !p.conn.Decide(always(Verdict{ToServer: request(i, 30)})) {
			t.Fatalf("decision %d is not taken", i)
		}
		want = append(want, request(i, 30)...)
	}
	if p.conn.Decide(always(Verdict{ToServer: request(99, 30)})) {
		t.Error("one too many is taken")
	}
	close(leave)
	r.expect(server, append(request(1, 100), want...))
	r.decided(p, always(Verdict{})) // there is room again
	r.expectNothing(server)
}

func TestPanickingDecisionCostsItsConnectionOnly(t *testing.T) {
	r := newRig(t, Options{Loops: 1}, nil)
	other, otherServer, _ := r.connect()
	_, _, p := r.connect()
	p.conn.Decide(func(Handler) Verdict { panic("decision") })
	r.ends(p, CausePanic)
	r.write(other, request(1, 100))
	r.expect(otherServer, request(1, 100))
}

func TestNothingIsSentBehindTheEndOfAStream(t *testing.T) {
	answer := response(9, 100)
	r := newRig(t, Options{}, func(p *probe) {
		p.fromClient = onCall(map[uint32]Verdict{2: {ToClient: answer}})
	})
	client, server, p := r.connect()
	r.must(server.CloseWrite())
	r.expectEnd(client)
	r.decided(p, always(Verdict{ToClient: answer, ToServer: request(8, 60)}))
	r.expect(server, request(8, 60)) // that direction goes on
	r.write(client, slices.Concat(request(1, 100), request(2, 100), request(3, 100)))
	r.expect(server, slices.Concat(request(1, 100), request(2, 100), request(3, 100)))
	_, _ = client.Close(), server.Close()
	r.ends(p, CauseEnd)
}

func TestDecisionsPDUsAreNotSentAmongOtherBytes(t *testing.T) {
	r := newRig(t, Options{NonRPC: PassNonRPC}, nil)
	client, server, p := r.connect()
	r.write(client, []byte("HELO"))
	r.expect(server, []byte("HELO"))
	r.decided(p, always(Verdict{ToClient: response(9, 100), ToServer: request(9, 100)}))
	r.write(server, []byte("250 OK"))
	r.expect(client, []byte("250 OK"))
	r.write(client, []byte("QUIT"))
	r.expect(server, []byte("QUIT"))
	r.decided(p, always(Verdict{Action: Close, ToClient: response(9, 100)}))
	r.expectEnd(client)
	r.expectEnd(server)
}

func TestDecideAllAsksEveryHandlerOnce(t *testing.T) {
	const n = 3*sweepConns + 7
	r := newRig(t, Options{Loops: 2, DrainTimeout: 200 * time.Millisecond}, nil)
	clients, probes := make([]*net.TCPConn, n), make([]*probe, n)
	for i := range n {
		clients[i], _, probes[i] = r.connect()
	}
	var mu sync.Mutex
	asked := map[Handler]int{}
	all := make(chan struct{})
	if !r.group.DecideAll(func(h Handler) Verdict {
		mu.Lock()
		defer mu.Unlock()
		if asked[h]++; len(asked) == n {
			close(all)
		}
		switch slices.Index(probes, h.(*probe)) % 3 {
		case 0:
			return Verdict{Action: Close, ToClient: response(9, 100)}
		case 1:
			return Verdict{ToClient: response(9, 100)}
		}
		return Verdict{}
	}) {
		t.Fatal("not taken")
	}
	await(r, all)
	for i, p := range probes {
		if i%3 < 2 {
			r.expect(clients[i], response(9, 100))
		}
		if i%3 == 0 {
			r.expectEnd(clients[i])
			_ = clients[i].Close()
			r.ends(p, CauseVerdict)
		}
		if asked[p] != 1 {
			t.Errorf("handler %d was asked %d times", i, asked[p])
		}
	}
}

func TestDecideAllIsBounded(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	r := newRig(t, Options{Loops: 2}, nil)
	_, _, p := r.connect()
	p.conn.Decide(func(Handler) Verdict { close(entered); <-leave; return Verdict{} })
	await(r, entered)
	var asked atomic.Int32
	count := func(Handler) Verdict { asked.Add(1); return Verdict{} }
	taken := 0
	for range 3 * maxDecideAlls { // the other loop ends its part at once
		if r.group.DecideAll(count) {
			taken++
		}
	}
	if taken < maxDecideAlls || taken > 2*maxDecideAlls {
		t.Errorf("%d calls were taken while a loop was busy", taken)
	}
	r.group.CloseServer(otherServer, 0) // shares the list, not the bound
	close(leave)
	r.eventually("each is asked", func() bool { return int(asked.Load()) == taken })
	r.eventually("and all are over", func() bool { return r.group.deciding.Load() == 0 })
}
