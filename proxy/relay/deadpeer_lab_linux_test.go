//go:build lab

package relay

import (
	"io"
	"net"
	"net/netip"
	"testing"
	"time"
)

// giveUp is what Options.KeepAlive promises for one second, and testTimeout for a
// busy machine.
const giveUp = 5*time.Second + testTimeout

// idleAndBusy are two connections over a path: nothing is under way on the first,
// and on the second something will be.
func idleAndBusy(r *rig, p path, ln, server string) (clients, servers [2]*net.TCPConn, probes [2]*probe) {
	r.Helper()
	for i := range clients {
		clients[i] = p.dial(r, "10.77.1.2:0", ln)
		servers[i], probes[i] = r.accept(), r.handler()
		r.write(clients[i], request(1, 100))
		r.expect(servers[i], request(1, 100))
		r.write(servers[i], response(1, 100))
		r.expect(clients[i], response(1, 100))
		r.must(clients[i].SetDeadline(time.Now().Add(giveUp)))
		r.must(servers[i].SetDeadline(time.Now().Add(giveUp)))
	}
	return clients, servers, probes
}

// endsOfLoss waits for the end of a connection one of whose peers is lost.
func (r *rig) endsOfLoss(p *probe, cause Cause) {
	r.Helper()
	select {
	case why := <-p.closed:
		if why.Cause != cause || why.Err == nil {
			r.Errorf("closed because of %v, want %v", why, cause)
		}
	case <-time.After(giveUp):
		r.Errorf("not closed, want %v", cause)
	}
}

func TestPeerBehindACutLinkIsGivenUp(t *testing.T) {
	if !asRouter(t) {
		return
	}
	const server = "10.77.2.2:7000"
	for name, c := range map[string]struct {
		cut   func(path)
		cause Cause
	}{
		"server": {func(p path) { p.server.run(t, "ip link set s0 down") }, CauseServerReset},
		"client": {func(p path) { p.client.run(t, "ip link set c0 down") }, CauseClientReset},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPath(t)
			defer runHere(t, "ip link del r1\nip link del r2")
			r := newRig(t, Options{KeepAlive: time.Second}, nil)
			_ = r.server.Close()
			r.server = p.listen(r, server)
			r.listen(ListenOptions{Address: netip.MustParseAddrPort("10.77.1.1:0"), Route: r.to(netip.MustParseAddrPort(server))})
			clients, servers, probes := idleAndBusy(r, p, r.ln.Addr().String(), server)
			c.cut(p)
			survivors := servers
			if c.cause == CauseServerReset {
				survivors = clients
				r.write(clients[1], request(2, 5000))
			} else {
				r.write(servers[1], response(2, 5000))
			}
			for i := range probes {
				r.endsOfLoss(probes[i], c.cause)
				r.expectReset(survivors[i])
			}
		})
	}
}

func TestServerBehindACutLinkIsClosedByItsSilence(t *testing.T) {
	if !asRouter(t) {
		return
	}
	const server = "10.77.2.2:7000"
	p := newPath(t)
	r := newRig(t, Options{}, nil) // whose keep-alive would take two minutes
	_ = r.server.Close()
	r.server = p.listen(r, server)
	r.listen(ListenOptions{Address: netip.MustParseAddrPort("10.77.1.1:0"), Route: r.to(netip.MustParseAddrPort(server))})
	clients, _, probes := idleAndBusy(r, p, r.ln.Addr().String(), server)
	p.server.run(t, "ip link set s0 down")
	r.write(clients[1], request(2, 5000))
	for i := range probes {
		r.eventually("it is ended", func() bool {
			r.group.CloseServer(netip.MustParseAddr("10.77.2.2"), 300*time.Millisecond)
			return r.group.Stats().Closed[CauseServerGone] == 2
		})
		r.ends(probes[i], CauseServerGone)
		r.expectReset(clients[i])
	}
}

func TestPeerThatTakesNothingIsGivenUp(t *testing.T) {
	if !asRouter(t) {
		return
	}
	r := newRig(t, Options{KeepAlive: time.Second}, nil)
	client, server, p := r.connect()
	full := r.fill(server, response(1, 5840))
	r.endsOfLoss(p, CauseClientReset)
	full.wait()
	if _, err := io.Copy(io.Discard, client); err == nil {
		t.Error("the client was ended, not reset")
	}
}

// A server that takes no new connections, and answers on those that it has, is heard of. One behind a cut link is not.
func TestIdleConnectionsAreAskedForASignOfLife(t *testing.T) {
	if !asRouter(t) {
		return
	}
	const server = "10.77.2.2:7000"
	host := netip.MustParseAddr("10.77.2.2")
	p := newPath(t)
	r := newRig(t, Options{}, nil) // whose keep-alive would take two minutes
	_ = r.server.Close()
	r.server = p.listen(r, server)
	r.listen(ListenOptions{Address: netip.MustParseAddrPort("10.77.1.1:0"), Route: r.to(netip.MustParseAddrPort(server))})
	idleAndBusy(r, p, r.ln.Addr().String(), server)
	type answer struct {
		quiet time.Duration
		conns int
	}
	ask := func() answer {
		got := make(chan answer, 1)
		r.group.Ask(host, func(quiet time.Duration, conns int) { got <- answer{quiet, conns} })
		return await(r, got)
	}
	ask()
	const long = 3 * askInterval * time.Second
	time.Sleep(long)
	if a := ask(); a.conns != 2 || a.quiet > long-askInterval*time.Second/2 {
		t.Errorf("%d connections, quiet for %v", a.conns, a.quiet)
	}
	p.server.run(t, "ip link set s0 down")
	time.Sleep(long)
	if a := ask(); a.conns != 2 || a.quiet < long-time.Second {
		t.Errorf("behind a cut link: %d connections, quiet for %v", a.conns, a.quiet)
	}
	r.group.StopAsking(host)
	got := make(chan answer, 1)
	r.group.Ask(otherServer, func(quiet time.Duration, conns int) { got <- answer{quiet, conns} })
	if a := await(r, got); a.conns != 0 {
		t.Errorf("%d connections to another server", a.conns)
	}
}
