//go:build lab

package failure

import (
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
)

// TestPathShortCutLosesNothing: cables that are out for a second, in the middle of requests, of answers and of binds.
func TestPathShortCutLosesNothing(t *testing.T) {
	const out = time.Second
	p := startFailPath(t, lab.PathOptions{Relay: "  keepalive: 5s"}, lab.DCOptions{Deaf: true})
	for _, c := range []struct {
		what        string
		cut, silent *lab.Machine
	}{
		{"clients", p.Clients[0], p.Clients[1]},
		{"domain controllers", p.DCs[0], p.DCs[1]},
	} {
		t.Run(c.what, func(t *testing.T) {
			all := p.startUnderWay(t, route{p.Clients[0], p.DCs[0].Address}, route{p.Clients[1], p.DCs[1].Address6})
			c.cut.Cut(t)
			c.silent.Silence(t)
			time.Sleep(out) // what the test is about, and not for something to come about
			c.cut.Mend(t)
			c.silent.Speak(t)
			for _, u := range all {
				u.goesOn(t)
				u.close()
			}
		})
	}
	p.checkNobodyLeft(t)
}

// cutKeepAlive is relay.keepalive in tests of cables that stay cut, and cutBound how long nobody hangs then: see
// relay.Options.KeepAlive. A busy machine gets some more.
const (
	cutKeepAlive = "  keepalive: 1s"
	cutBound     = 5 * time.Second
	cutSlack     = 3 * time.Second
)

// TestPathCutClientsLoseTheirSessions: in the middle of requests, of answers and of binds.
func TestPathCutClientsLoseTheirSessions(t *testing.T) {
	p := startFailPath(t, lab.PathOptions{Relay: cutKeepAlive}, lab.DCOptions{Deaf: true})
	p.startUnderWay(t, route{p.Clients[0], p.DCs[0].Address}, route{p.Clients[1], p.DCs[0].Address6})
	began := time.Now()
	p.Clients[0].Cut(t)
	p.Clients[1].Silence(t)
	p.proxyIsFree(t, began)
	p.serverHasNobody(t)
	t.Logf("nobody is left after %s", time.Since(began))
	p.checkNobodyLeft(t)
}

// TestPathCutDomainControllersLetClientsGo: in the middle of requests, of answers and of binds. What the domain controllers
// still had ends once they are back.
func TestPathCutDomainControllersLetClientsGo(t *testing.T) {
	p := startFailPath(t, lab.PathOptions{Relay: cutKeepAlive}, lab.DCOptions{Deaf: true})
	all := p.startUnderWay(t, route{p.Clients[0], p.DCs[0].Address}, route{p.Clients[1], p.DCs[1].Address6})
	began := time.Now()
	p.DCs[0].Cut(t)
	p.DCs[1].Silence(t)
	for _, u := range all {
		u.end(t)
		if took := time.Since(began); took > cutBound+cutSlack {
			t.Errorf("a client was let go after %s", took)
		} else {
			t.Logf("the last client was let go after %s", took)
		}
	}
	p.proxyIsFree(t, began)
	p.DCs[0].Mend(t)
	p.DCs[1].Speak(t)
	p.checkNobodyLeft(t)
}

// TestPathHalfOpenClientsAreFound: their machines have lost their sockets while nobody heard of it. One is silent for good, the
// other one answers again, and knows nothing.
func TestPathHalfOpenClientsAreFound(t *testing.T) {
	p := startFailPath(t, lab.PathOptions{Relay: cutKeepAlive}, lab.DCOptions{Deaf: true})
	for n, u := range p.startUnderWay(t, route{p.Clients[0], p.DCs[0].Address}, route{p.Clients[1], p.DCs[0].Address6}) {
		p.Clients[n].Silence(t)
		u.vanish()
	}
	began := time.Now()
	p.Clients[1].Speak(t)
	p.proxyIsFree(t, began)
	p.serverHasNobody(t)
	t.Logf("nobody is left after %s", time.Since(began))
	p.checkNobodyLeft(t)
}

// proxyIsFree waits until the proxy holds nothing, which must not take longer than documented.
func (p *failPath) proxyIsFree(t *testing.T, since time.Time) {
	t.Helper()
	p.holdsNothing(t, cutBound+cutSlack-time.Since(since))
	t.Logf("the slots are free after %s", time.Since(since))
}
