package relay

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// The addresses of the rig's server, and of another.
var (
	thisServer  = netip.MustParseAddr("127.0.0.1")
	otherServer = netip.MustParseAddr("127.0.0.2")
)

// swept waits until sweeps that were asked for before are over: one connection to
// another server is ended by a later one.
func (r *rig) swept() {
	r.Helper()
	old := r.ln
	defer func() { r.ln = old }()
	other, err := net.ListenTCP("tcp", &net.TCPAddr{IP: otherServer.AsSlice()})
	r.must(err)
	defer func() { _ = other.Close() }()
	unhandled := make(chan CloseReason, 1)
	r.listen(ListenOptions{Route: func(*Conn, int) Route {
		return Route{Handler: &probe{closed: unhandled}, Server: addrOf(other.Addr())}
	}})
	defer r.ln.Close()
	client := r.client()
	c, err := other.Accept()
	r.must(err)
	r.write(c, response(1, 100))
	r.expect(client, response(1, 100)) // it is open
	r.group.CloseServer(otherServer, 0)
	if why := await(r, unhandled); why.Cause != CauseServerGone {
		r.Errorf("the other server's connection ended because of %v", why)
	}
	_ = c.Close()
}

func TestConnectionsToAServerThatIsGoneAreEnded(t *testing.T) {
	const n = 3*sweepConns + 7
	r := newRig(t, Options{Loops: 1}, nil)
	clients, servers, probes := make([]*net.TCPConn, n), make([]*net.TCPConn, n), make([]*probe, n)
	for i := range n {
		clients[i], servers[i], probes[i] = r.connect()
		r.write(clients[i], request(1, 100))
		r.expect(servers[i], request(1, 100))
	}
	r.swept()
	r.write(servers[0], response(1, 100)) // the sweep for the other server leaves these alone
	r.expect(clients[0], response(1, 100))
	r.group.CloseServer(netip.MustParseAddr("::ffff:127.0.0.1"), 0)
	for i := range n {
		r.ends(probes[i], CauseServerGone)
		r.expectReset(clients[i])
		r.expectEnd(servers[i]) // which the kernel repeats, unlike a reset
	}
	client, server, _ := r.connect() // connections made after the call are left alone
	r.write(client, request(1, 100))
	r.expect(server, request(1, 100))
}

func TestServerThatHasBeenHeardOfIsNotGone(t *testing.T) {
	r := newRig(t, Options{Loops: 1}, nil)
	client, server, _ := r.connect()
	r.write(server, response(1, 100))
	r.expect(client, response(1, 100))
	r.group.CloseServer(thisServer, time.Hour)
	r.group.CloseServer(netip.Addr{}, 0)
	r.swept()
	r.write(client, request(1, 100))
	r.expect(server, request(1, 100))
}

func TestSilenceEndsWithWhateverIsReceived(t *testing.T) {
	const tick = 20 * time.Millisecond // of the kernel's clock, and to spare
	asked := make(chan time.Duration, 1)
	r := newRig(t, Options{}, func(p *probe) {
		tell := func(rpcparse.Header, []byte) Verdict {
			asked <- silence(p.conn.server.fd)
			return Verdict{}
		}
		p.fromClient, p.fromServer = tell, tell
	})
	client, server, _ := r.connect()
	r.write(client, request(1, 24))
	r.expect(server, request(1, 24))
	await(r, asked)
	r.write(server, response(1, 24)) // acknowledges the request, too: nothing else is to come
	await(r, asked)
	quiet := time.Now()
	time.Sleep(5 * tick)
	least := time.Since(quiet)
	r.write(client, request(2, 24))
	if got := await(r, asked); got < least-tick {
		t.Errorf("silent for %v after at least %v", got, least)
	}
	r.expect(server, request(2, 24))
	before := time.Now()
	r.write(server, response(2, 24))
	if got, most := await(r, asked), time.Since(before); got > most+tick {
		t.Errorf("silent for %v after at most %v", got, most)
	}
}

func TestServerThatHasEndedItsStreamIsLeftAlone(t *testing.T) {
	r := newRig(t, Options{Loops: 1}, nil)
	client, server, p := r.connect()
	r.write(server, response(1, 100))
	r.must(server.CloseWrite())
	r.expect(client, response(1, 100))
	r.expectEnd(client)
	r.group.CloseServer(thisServer, 0)
	r.swept()
	r.must(client.Close())
	r.ends(p, CauseEnd)
}

func TestConnectionsBeingMadeToAServerThatIsGoneGoOn(t *testing.T) {
	t.Run("to another", func(t *testing.T) {
		r := newRig(t, Options{}, nil)
		silent := silentServer(r, otherServer)
		r.listen(ListenOptions{Route: func(c *Conn, attempt int) Route {
			return Route{Handler: r.newHandler(c), Server: []netip.AddrPort{silent, r.target()}[attempt]}
		}})
		client := r.client()
		r.write(client, request(1, 100))
		first := r.handler()
		r.group.CloseServer(otherServer, time.Hour)
		r.ends(first, CauseServerGone)
		r.expect(r.accept(), request(1, 100))
	})
	t.Run("to nobody", func(t *testing.T) {
		r := newRig(t, Options{}, nil)
		r.listen(ListenOptions{Route: r.to(silentServer(r, otherServer))})
		client := r.client()
		first := r.handler()
		r.group.CloseServer(otherServer, time.Hour)
		r.ends(first, CauseServerGone)
		r.expectReset(client)
		r.eventually("it is counted", func() bool { return r.group.Stats().Closed[CauseServerGone] == 1 })
	})
}

func TestHandlerThatPanicsInASweepDoesNotEndIt(t *testing.T) {
	r := newRig(t, Options{Loops: 1}, func(p *probe) { p.onClosed = func() { panic("closed") } })
	var probes []*probe
	for range 5 {
		client, server, p := r.connect()
		r.write(client, request(1, 100))
		r.expect(server, request(1, 100))
		probes = append(probes, p)
	}
	r.group.CloseServer(thisServer, 0)
	for _, p := range probes {
		r.ends(p, CauseServerGone)
	}
}
