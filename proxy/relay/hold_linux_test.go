package relay

import (
	"bytes"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// holding holds PDUs with one of the call ids, of either side.
func holding(p *probe, ids ...uint32) {
	hold := func(h rpcparse.Header, _ []byte) Verdict {
		if slices.Contains(ids, h.CallID) {
			return Verdict{Action: Hold}
		}
		return Verdict{}
	}
	p.fromClient, p.fromServer = hold, hold
}

// keeper holds the PDUs of a direction until its flag is set.
type keeper struct{ client, server atomic.Bool }

func (k *keeper) resume(from rpcparse.Direction, _ rpcparse.Header, _ []byte) Verdict {
	let := &k.server
	if from == rpcparse.ClientToServer {
		let = &k.client
	}
	if let.Load() {
		return Verdict{}
	}
	return Verdict{Action: Hold}
}

func TestHeldResponseWaitsForItsWake(t *testing.T) {
	r := newRig(t, Options{}, func(p *probe) { holding(p, 2) })
	client, server, p := r.connect()
	all := slices.Concat(response(1, 100), response(2, 200), response(3, 300), response(4, 400))
	r.write(server, all[:len(all)-50])
	r.expect(client, response(1, 100))
	r.expectNothing(client)
	r.write(server, all[len(all)-50:])
	r.write(client, request(1, 100)) // the other direction goes on
	r.expect(server, request(1, 100))
	r.expectNothing(client)
	p.conn.Wake()
	r.expect(client, slices.Concat(response(2, 200), response(3, 300), response(4, 400)))
}

func TestDirectionsAreHeldIndependently(t *testing.T) {
	for _, clientFirst := range []bool{true, false} {
		var k keeper
		r := newRig(t, Options{}, func(p *probe) { holding(p, 1); p.resume = k.resume })
		client, server, p := r.connect()
		r.write(client, slices.Concat(request(1, 100), request(2, 100)))
		r.write(server, slices.Concat(response(1, 100), response(2, 100)))
		p.conn.Wake()
		r.expectNothing(client)
		r.expectNothing(server)
		letClient := func() {
			k.client.Store(true)
			p.conn.Wake()
			r.expect(server, slices.Concat(request(1, 100), request(2, 100)))
		}
		letServer := func() {
			k.server.Store(true)
			p.conn.Wake()
			r.expect(client, slices.Concat(response(1, 100), response(2, 100)))
		}
		if clientFirst {
			letClient()
			r.expectNothing(client)
			letServer()
		} else {
			letServer()
			r.expectNothing(server)
			letClient()
		}
	}
}

func TestOneWakeResumesBothDirections(t *testing.T) {
	r := newRig(t, Options{}, func(p *probe) { holding(p, 1) })
	client, server, p := r.connect()
	r.write(client, request(1, 100))
	r.write(server, response(1, 100))
	r.expectNothing(client)
	r.expectNothing(server)
	p.conn.Wake()
	r.expect(server, request(1, 100))
	r.expect(client, response(1, 100))
}

func TestHeldResponseMayBeReplaced(t *testing.T) {
	answer, extra := response(1, 60), request(9, 40)
	r := newRig(t, Options{}, func(p *probe) {
		holding(p, 1)
		p.resume = func(rpcparse.Direction, rpcparse.Header, []byte) Verdict {
			return Verdict{Action: Drop, ToClient: answer, ToServer: extra}
		}
	})
	client, server, p := r.connect()
	r.write(server, slices.Concat(response(1, 5000), response(2, 100)))
	r.eventually("it is held", func() bool { return r.group.Stats().Server.Bytes == 5100 })
	p.conn.Wake()
	r.expect(client, slices.Concat(answer, response(2, 100)))
	r.expect(server, extra)
	if s := r.group.Stats(); s.Server.PDUs != 2 {
		t.Errorf("a held PDU is counted twice: %+v", s.Server)
	}
}

func TestServerThatEndsWhileItsPDUIsHeld(t *testing.T) {
	const drain = 20 * time.Millisecond // must not begin while the PDU is pending
	for _, clientEnds := range []bool{false, true} {
		r := newRig(t, Options{DrainTimeout: drain}, func(p *probe) { holding(p, 1) })
		client, server, p := r.connect()
		r.write(server, slices.Concat(response(1, 100), response(2, 100)))
		r.must(server.CloseWrite())
		if clientEnds {
			r.must(client.CloseWrite())
			r.expectEnd(server)
		} else {
			r.write(client, request(1, 100)) // is held, too: it goes on with the wake
		}
		time.Sleep((tailFactor + 2) * drain)
		r.expectNothing(client)
		p.conn.Wake()
		r.expect(client, slices.Concat(response(1, 100), response(2, 100)))
		r.expectEnd(client)
		if !clientEnds {
			r.expect(server, request(1, 100))
		}
		r.must(client.Close())
		r.ends(p, CauseEnd)
	}
}

func TestServerThatResetsWhileItsPDUIsHeldIsNoticed(t *testing.T) {
	r := newRig(t, Options{}, func(p *probe) { holding(p, 1) })
	client, server, p := r.connect()
	r.write(server, response(1, 100))
	r.expectNothing(client)
	r.reset(server)
	r.expectReset(client)
	r.ends(p, CauseServerReset)
	p.conn.Wake()
}

func TestClientThatTakesNothingIsGivenUpOnlyWithTheWake(t *testing.T) {
	// The server has ended its stream behind a pending PDU. While that is pending,
	// no timer runs for the client, though it does not read the proxy's own answers.
	const drain = 20 * time.Millisecond
	r := newRig(t, Options{DrainTimeout: drain}, func(p *probe) {
		p.fromServer = func(rpcparse.Header, []byte) Verdict {
			p.conn.HandshakeDone() // so that the handshake timer does not end the connection
			return Verdict{Action: Hold}
		}
		p.fromClient = func(rpcparse.Header, []byte) Verdict {
			return Verdict{Action: Drop, ToClient: response(9, 5840)}
		}
	})
	client, server, p := r.connect()
	r.write(server, response(1, 100))
	r.eventually("it is held", func() bool { return r.group.Stats().Server.Bytes == 100 })
	full := r.fill(client, request(1, 1000))
	r.must(server.Close())
	time.Sleep((tailFactor + 2) * drain)
	if p.ends.Load() != 0 {
		t.Fatalf("ended while held: %v", <-p.closed)
	}
	p.conn.Wake()
	r.ends(p, CauseEnd)
	full.wait()
}

func TestHoldStopsTheTimeThatAClientHas(t *testing.T) {
	// The client is slow to read what is before the server's end, and a timer runs.
	// The timer stops when it is the handler that the end waits for.
	const drain = 50 * time.Millisecond
	r := newRig(t, Options{DrainTimeout: drain}, func(p *probe) {
		p.fromServer = func(h rpcparse.Header, _ []byte) Verdict {
			p.conn.HandshakeDone()
			if h.CallID == 2 {
				return Verdict{Action: Hold}
			}
			return Verdict{}
		}
	})
	client, server, p := r.connect()
	before := r.clog(server) + 5840
	r.write(server, response(2, 100))
	r.must(server.Close())
	time.Sleep(drain)
	r.expect(client, bytes.Repeat(response(1, 5840), before/5840))
	time.Sleep((tailFactor + 2) * drain)
	if p.ends.Load() != 0 {
		t.Fatalf("ended while held: %v", <-p.closed)
	}
	p.conn.Wake()
	r.expect(client, response(2, 100))
	r.expectEnd(client)
	r.must(client.Close())
	r.ends(p, CauseEnd)
}
