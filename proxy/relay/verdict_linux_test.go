package relay

import (
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// onCall gives verdicts by call id, and forwards the rest.
func onCall(verdicts map[uint32]Verdict) func(rpcparse.Header, []byte) Verdict {
	return func(h rpcparse.Header, _ []byte) Verdict { return verdicts[h.CallID] }
}

func TestDroppedRequestIsAnsweredByTheProxy(t *testing.T) {
	answer := response(2, 60)
	r := newRig(t, Options{}, func(p *probe) {
		p.fromClient = onCall(map[uint32]Verdict{2: {Action: Drop, ToClient: answer}})
	})
	client, server, p := r.connect()
	r.write(client, slices.Concat(request(1, 100), request(2, 200), request(3, 300)))
	r.expect(server, slices.Concat(request(1, 100), request(3, 300)))
	r.expect(client, answer)
	r.write(server, response(3, 70)) // the connection lives on
	r.expect(client, response(3, 70))
	r.must(client.Close())
	r.must(server.Close())
	r.ends(p, CauseEnd)
	if s := r.group.Stats(); s.Client.PDUs != 3 || s.Client.Injected != 1 || s.Server.PDUs != 1 || s.Server.Injected != 0 {
		t.Errorf("counters are wrong: %+v", s)
	}
}

func TestInjectedPDUsStandInPlace(t *testing.T) {
	extra := slices.Concat(request(20, 50), request(21, 60))
	r := newRig(t, Options{}, func(p *probe) {
		p.fromClient = onCall(map[uint32]Verdict{
			2: {Action: Drop, ToServer: extra},
			3: {ToServer: request(30, 40), ToClient: response(31, 40)},
		})
		p.fromServer = onCall(map[uint32]Verdict{2: {Action: Drop, ToClient: response(40, 80), ToServer: request(41, 40)}})
	})
	client, server, _ := r.connect()
	r.write(client, slices.Concat(request(1, 100), request(2, 100), request(3, 100), request(4, 100)))
	r.expect(server, slices.Concat(request(1, 100), extra, request(3, 100), request(30, 40), request(4, 100)))
	r.expect(client, response(31, 40))
	if n := segments(t, server); n != 6 { // 1; 20; 21; 3; 30; 4
		t.Errorf("%d segments, want each injected PDU in its own: 6", n)
	}
	r.write(server, slices.Concat(response(1, 100), response(2, 100), response(3, 100)))
	r.expect(client, slices.Concat(response(1, 100), response(40, 80), response(3, 100)))
	r.expect(server, request(41, 40))
}

func TestHeldRequestWaitsForItsWake(t *testing.T) {
	r := newRig(t, Options{}, func(p *probe) {
		p.fromClient = onCall(map[uint32]Verdict{2: {Action: Hold}})
	})
	client, server, p := r.connect()
	first := slices.Concat(request(1, 100), request(2, 200), request(3, 300), request(4, 400))
	r.write(client, first[:len(first)-50])
	r.expect(server, request(1, 100))
	r.expectNothing(server)
	r.write(client, first[len(first)-50:]) // what follows waits, too
	r.write(server, response(1, 100))      // the other direction goes on
	r.expect(client, response(1, 100))
	r.expectNothing(server)
	p.conn.Wake()
	r.expect(server, slices.Concat(request(2, 200), request(3, 300), request(4, 400)))
}

func TestResumeMayHoldDropOrClose(t *testing.T) {
	var verdict atomic.Pointer[Verdict]
	var asked atomic.Int32
	verdict.Store(&Verdict{Action: Hold})
	r := newRig(t, Options{}, func(p *probe) {
		p.fromClient = onCall(map[uint32]Verdict{1: {Action: Hold}, 3: {Action: Hold}})
		p.resume = func(rpcparse.Direction, rpcparse.Header, []byte) Verdict { asked.Add(1); return *verdict.Load() }
	})
	client, server, p := r.connect()
	r.write(client, slices.Concat(request(1, 100), request(2, 100), request(3, 100)))
	r.eventually("the handler was asked", func() bool { p.conn.Wake(); return asked.Load() > 3 })
	r.expectNothing(server)
	verdict.Store(&Verdict{Action: Drop, ToClient: response(1, 50)})
	p.conn.Wake()
	r.expect(client, response(1, 50))
	r.expect(server, request(2, 100))
	verdict.Store(&Verdict{Action: Close, ToClient: response(3, 50)})
	p.conn.Wake()
	r.expect(client, response(3, 50))
	r.expectEnd(client)
	r.expectEnd(server)
	_, _ = client.Close(), server.Close()
	r.ends(p, CauseVerdict)
}

func TestWakeFromInsideTheHandlerIsNotLost(t *testing.T) {
	r := newRig(t, Options{}, func(p *probe) {
		p.fromClient = func(rpcparse.Header, []byte) Verdict {
			p.conn.Wake() // before the verdict is even given
			return Verdict{Action: Hold}
		}
	})
	client, server, _ := r.connect()
	for i := range uint32(20) {
		r.write(client, request(i, 100))
		r.expect(server, request(i, 100))
	}
}

func TestWakeWithNothingHeldDoesNothing(t *testing.T) {
	r := newRig(t, Options{}, func(p *probe) {
		p.resume = func(rpcparse.Direction, rpcparse.Header, []byte) Verdict {
			t.Error("resumed with nothing held")
			return Verdict{}
		}
	})
	client, server, p := r.connect()
	p.conn.Wake()
	r.write(client, request(1, 100))
	r.expect(server, request(1, 100))
	r.must(client.Close())
	r.must(server.Close())
	r.ends(p, CauseEnd)
	p.conn.Wake()
}

func TestWakeRacesWithTheEnd(t *testing.T) {
	r := newRig(t, Options{}, func(p *probe) {
		p.fromClient = func(rpcparse.Header, []byte) Verdict { return Verdict{Action: Hold} }
	})
	for i := range 100 {
		client, _, p := r.connect()
		r.write(client, request(1, 100))
		stop := make(chan struct{})
		for range 2 {
			go func() {
				for {
					select {
					case <-stop:
						return
					default:
						p.conn.Wake()
					}
				}
			}()
		}
		if i%2 == 0 {
			r.must(client.SetLinger(0))
		}
		r.must(client.Close())
		if i%2 == 0 {
			r.ends(p, CauseClientReset)
		}
		close(stop)
	}
}

func TestClientThatGoesAwayWhileHeldIsNoticed(t *testing.T) {
	r := newRig(t, Options{}, func(p *probe) {
		p.fromClient = func(rpcparse.Header, []byte) Verdict { return Verdict{Action: Hold} }
	})
	client, server, p := r.connect()
	r.write(client, request(1, 100))
	r.expectNothing(server)
	r.must(client.SetLinger(0))
	r.must(client.Close())
	r.ends(p, CauseClientReset)
}

func TestCloseVerdictDeliversTheAnswer(t *testing.T) {
	why := errors.New("over the limit")
	answer := response(2, 5000)
	r := newRig(t, Options{}, func(p *probe) {
		p.fromClient = onCall(map[uint32]Verdict{2: {Action: Close, ToClient: answer, Err: why}})
	})
	client, server, p := r.connect()
	r.write(client, slices.Concat(request(1, 100), request(2, 100), request(3, 100)))
	r.expect(server, request(1, 100))
	r.expectEnd(server) // a plain end, and nothing of the request
	// What still comes is read and forgotten: left unread it would turn the end
	// into a reset, which would destroy the answer.
	r.write(client, request(4, 100))
	r.write(server, response(1, 100))
	time.Sleep(20 * time.Millisecond)
	r.expect(client, answer)
	r.expectEnd(client)
	r.must(errors.Join(client.Close(), server.Close()))
	if got := r.ends(p, CauseVerdict); !errors.Is(got.Err, why) {
		t.Errorf("closed because of %v, want the verdict's reason", got)
	}
}

func TestCloseDoesNotWaitForPeersForEver(t *testing.T) {
	r := newRig(t, Options{DrainTimeout: 50 * time.Millisecond}, func(p *probe) {
		p.fromServer = onCall(map[uint32]Verdict{1: {Action: Close}})
	})
	_, server, p := r.connect()
	start := time.Now()
	r.write(server, response(1, 100))
	r.ends(p, CauseVerdict)
	if d := time.Since(start); d < 40*time.Millisecond {
		t.Errorf("closed after %v without draining", d)
	}
}

func TestPanickingHandlerCostsItsConnectionOnly(t *testing.T) {
	r := newRig(t, Options{Loops: 1}, func(p *probe) {
		p.fromClient = func(h rpcparse.Header, _ []byte) Verdict {
			if h.CallID == 13 {
				panic("thirteen")
			}
			return Verdict{}
		}
		p.onClosed = func() { panic("and again") }
	})
	other, otherServer, _ := r.connect()
	client, _, p := r.connect()
	r.write(client, request(13, 100))
	if got := r.ends(p, CausePanic); got.Err == nil {
		t.Error("no evidence of the panic")
	}
	r.write(other, request(1, 100))
	r.expect(otherServer, request(1, 100))
}
