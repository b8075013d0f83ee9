package relay

import (
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// patientProbe is a handler that has to know what becomes of an attempt to connect.
type patientProbe struct {
	*probe
	conn       *Conn
	unanswered chan struct{}
	left       chan time.Duration
}

func (p *patientProbe) Unanswered()                { p.unanswered <- struct{}{} }
func (p *patientProbe) Connected()                 {}
func (p *patientProbe) ClientLeft(d time.Duration) { p.left <- d }

// patient leads a listener to a server, with handlers that have to know.
func (r *rig) patient(o ListenOptions, route Route) *patientProbe {
	p := &patientProbe{unanswered: make(chan struct{}, 8), left: make(chan time.Duration, 8)}
	o.Route = func(c *Conn, attempt int) Route {
		if attempt > 0 {
			return Route{}
		}
		p.conn, p.probe = c, r.newHandler(c).(*probe)
		route.Handler = p
		return route
	}
	r.listen(o)
	return p
}

func TestSlowServerIsWaitedForAndSaid(t *testing.T) {
	r := newRig(t, Options{FailoverTimeout: 50 * time.Millisecond, ConnectTimeout: 300 * time.Millisecond}, nil)
	p := r.patient(ListenOptions{}, Route{Server: silentServer(r, thisServer)})
	client, start := r.client(), time.Now()
	await(r, p.unanswered)
	r.expectReset(client)
	if d := time.Since(start); d < 250*time.Millisecond {
		t.Errorf("given up after %v", d)
	}
	r.ends(r.handler(), CauseDialTimeout)
}

func TestBriefAttemptIsNotWaitedFor(t *testing.T) {
	r := newRig(t, Options{FailoverTimeout: 50 * time.Millisecond, ConnectTimeout: time.Minute}, nil)
	p := r.patient(ListenOptions{}, Route{Server: silentServer(r, thisServer), Brief: true})
	r.expectReset(r.client())
	r.ends(r.handler(), CauseDialTimeout)
	if len(p.unanswered) != 0 {
		t.Error("it was said that the attempt goes on")
	}
}

func TestClientThatDoesNotWaitIsSaid(t *testing.T) {
	r := newRig(t, Options{FailoverTimeout: 20 * time.Millisecond}, nil)
	p := r.patient(ListenOptions{}, Route{Server: silentServer(r, thisServer)})
	client := r.client()
	await(r, p.unanswered)
	r.reset(client)
	if d := await(r, p.left); d < 20*time.Millisecond || d > time.Minute {
		t.Errorf("it has waited for %v", d)
	}
	r.ends(r.handler(), CauseClientReset)
}

// dialsFrom is the port that the connection to the server is made from.
func (p *patientProbe) dialsFrom(r *rig) uint16 {
	r.Helper()
	port := make(chan uint16, 1)
	p.conn.Decide(func(Handler) Verdict {
		var local sockaddr
		r.must(errnoError("getsockname", localAddr(p.conn.server.fd, &local)))
		port <- local.addrPort().Port()
		return Verdict{}
	})
	return await(r, port)
}

// TestServerThatAnswersAgainIsDialledAnew, because the kernel's next SYN may be many seconds away.
func TestServerThatAnswersAgainIsDialledAnew(t *testing.T) {
	r := newRig(t, Options{FailoverTimeout: 10 * time.Millisecond, ConnectTimeout: time.Minute}, nil)
	server := silentServer(r, thisServer)
	p := r.patient(ListenOptions{}, Route{Server: server})
	client := r.client()
	await(r, p.unanswered)
	first := p.dialsFrom(r)
	r.group.StopAsking(server.Addr())
	if p.dialsFrom(r) != first {
		t.Error("dialled anew at once, while the kernel is about to send the next SYN")
	}
	time.Sleep(patience)
	r.group.StopAsking(server.Addr())
	r.eventually("it is dialled anew", func() bool { return p.dialsFrom(r) != first })
	await(r, p.unanswered) // it has its time anew
	r.reset(client)
	r.ends(r.handler(), CauseClientReset)
}

func TestServerMayTakeItsTimeToAnswerABind(t *testing.T) {
	r := newRig(t, Options{HandshakeTimeout: 60 * time.Millisecond, DrainTimeout: 60 * time.Millisecond}, nil)
	client, server, p := r.connect()
	bind := pdu(rpcparse.PTypeBind, 1, 60)
	r.write(client, bind)
	r.expect(server, bind)
	time.Sleep(150 * time.Millisecond)
	nak := pdu(rpcparse.PTypeBindNak, 1, 60)
	r.write(server, nak)
	r.expect(client, nak)
	r.expectEnd(client) // the client has had time for another one
	_, _ = client.Close(), server.Close()
	r.ends(p, CauseHandshakeTimeout)
}
