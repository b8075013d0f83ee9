package relay

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// TestClientThatStopsInAPDUIsClosed; one whose server does not read is not, nor one that goes on with PDU after PDU.
func TestClientThatStopsInAPDUIsClosed(t *testing.T) {
	r := newRig(t, Options{PartTimeout: 1500 * time.Millisecond, DrainTimeout: 60 * time.Millisecond}, func(p *probe) {
		p.fromClient = func(rpcparse.Header, []byte) Verdict { p.conn.HandshakeDone(); return Verdict{} }
	})
	half, halfServer, halfProbe := r.connect()
	steady, steadyServer, steadyProbe := r.connect()
	r.write(half, request(1, 100))
	r.expect(halfServer, request(1, 100))
	r.write(half, request(2, 100)[:50])
	whole := request(3, 100)
	r.write(steady, whole[:50])
	for begin := time.Now(); time.Since(begin) < 4*time.Second; time.Sleep(20 * time.Millisecond) { // always in the middle of a PDU
		r.write(steady, append(whole[50:len(whole):len(whole)], whole[:50]...))
		r.expect(steadyServer, whole)
	}
	r.ends(halfProbe, CausePartTimeout)
	r.expectEnd(half)
	r.expectEnd(halfServer)
	if n := steadyProbe.ends.Load(); n != 0 {
		t.Error("a client that goes on was closed")
	}
}

// TestHandlerThatWaitsForItsClientHasATime, however many PDUs come meanwhile.
func TestHandlerThatWaitsForItsClientHasATime(t *testing.T) {
	r := newRig(t, Options{PartTimeout: 200 * time.Millisecond, DrainTimeout: 60 * time.Millisecond}, func(p *probe) {
		p.fromClient = func(h rpcparse.Header, _ []byte) Verdict {
			p.conn.HandshakeDone()
			p.conn.Keeps(100, h.CallID != 9)
			return Verdict{}
		}
	})
	waits, waitsServer, waitsProbe := r.connect()
	done, doneServer, doneProbe := r.connect()
	for _, c := range []struct {
		client, server net.Conn
		call           uint32
	}{{done, doneServer, 1}, {done, doneServer, 9}, {waits, waitsServer, 1}, {waits, waitsServer, 2}} {
		r.write(c.client, request(c.call, 100))
		r.expect(c.server, request(c.call, 100))
	}
	r.ends(waitsProbe, CausePartTimeout)
	time.Sleep(300 * time.Millisecond)
	if doneProbe.ends.Load() != 0 {
		t.Error("a client that has ended what it began was closed")
	}
}

// TestConnectionThatKeepsMostIsReset when all together keep too much. The others live on.
func TestConnectionThatKeepsMostIsReset(t *testing.T) {
	r := newRig(t, Options{Loops: 1, MaxKept: 1 << 20}, func(p *probe) {
		p.fromClient = func(h rpcparse.Header, _ []byte) Verdict {
			p.conn.HandshakeDone()
			p.conn.Keeps(int(h.CallID)<<10, false)
			return Verdict{}
		}
	})
	var clients, servers []net.Conn
	var probes []*probe
	for n := range 5 {
		client, server, p := r.connect()
		clients, servers, probes = append(clients, client), append(servers, server), append(probes, p)
		r.write(client, request(uint32(200+n), 100))
		r.expect(server, request(uint32(200+n), 100))
	}
	if s := r.group.Stats(); s.Closed[CauseMemory] != 0 {
		t.Fatalf("%+v", s)
	}
	r.write(clients[2], request(400, 100)) // 1214 KiB in all
	r.ends(probes[2], CauseMemory)
	for _, c := range []net.Conn{clients[2], servers[2]} {
		if _, err := io.ReadAll(c); !errors.Is(err, unix.ECONNRESET) {
			t.Errorf("want a reset, got %v", err)
		}
	}
	for _, n := range []int{0, 1, 3, 4} {
		r.write(clients[n], request(100, 100))
		r.expect(servers[n], request(100, 100))
	}
	r.eventually("the sum is published, at the end of a turn", func() bool { return r.group.Stats().Kept == 400<<10 })
	if n := r.group.Stats().Closed[CauseMemory]; n != 1 {
		t.Errorf("%d connections were reset", n)
	}
	for n := range clients {
		_, _ = clients[n].Close(), servers[n].Close()
	}
	for _, n := range []int{0, 1, 3, 4} {
		r.ends(probes[n], CauseEnd)
	}
	r.eventually("nothing is kept", func() bool { return r.group.Stats().Kept == 0 })
}

// sessionProbe is a handler that says whether there was a session.
type sessionProbe struct {
	*probe
	had bool
}

func (p *sessionProbe) Sessionless() bool { return !p.had }

// TestSilentClientWithoutASessionIsClosed; not one that had one, nor one that is not silent.
func TestSilentClientWithoutASessionIsClosed(t *testing.T) {
	r := newRig(t, Options{SessionTimeout: 1500 * time.Millisecond, DrainTimeout: 60 * time.Millisecond}, nil)
	r.listen(ListenOptions{Route: func(c *Conn, _ int) Route {
		route := r.to(r.target())(c, 0)
		p := route.Handler.(*probe)
		s := &sessionProbe{probe: p}
		p.fromClient = func(h rpcparse.Header, _ []byte) Verdict {
			c.HandshakeDone()
			c.AwaitSession()
			s.had = s.had || h.CallID == 9
			return Verdict{}
		}
		route.Handler = s
		return route
	}})
	silent, silentServer, silentProbe := r.connect()
	had, hadServer, hadProbe := r.connect()
	talks, talksServer, talksProbe := r.connect()
	r.write(silent, request(1, 100))
	r.expect(silentServer, request(1, 100))
	r.write(had, request(9, 100))
	r.expect(hadServer, request(9, 100))
	for begin := time.Now(); time.Since(begin) < 4*time.Second; time.Sleep(50 * time.Millisecond) {
		r.write(talks, request(1, 100))
		r.expect(talksServer, request(1, 100))
	}
	r.ends(silentProbe, CauseNoSession)
	r.expectEnd(silent)
	r.expectEnd(silentServer)
	if hadProbe.ends.Load()+talksProbe.ends.Load() != 0 {
		t.Error("a connection was closed that is of use")
	}
}
