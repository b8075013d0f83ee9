//go:build lab

package failure

import (
	"sync"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
)

// checkNSPI is the section health of the configuration as it is by default.
const checkNSPI = "health: {check: nspi}\n"

// TestPathDomainControllerIsKilledUnderLoad and comes back with NSPI on another port.
func TestPathDomainControllerIsKilledUnderLoad(t *testing.T) {
	p := startFailPath(t, lab.PathOptions{Limit: crewLimit, More: checkNSPI}, lab.DCOptions{NSPIPort: 50001})
	c := startCrew(t, p, crewSize)

	killed := time.Now()
	p.dc.Kill()
	p.holdsNothing(t, lab.PromptTime)
	t.Logf("the slots are free after %s", time.Since(killed))
	c.nobodyWorks(t)
	if n, longest := c.endedAfter(killed); n != crewSize || longest > lab.PromptTime {
		t.Errorf("%d connections have ended, the last after %s", n, longest)
	} else {
		t.Logf("%d connections have ended, the last after %s", n, longest)
	}
	p.becomesUnreachable(t)
	t.Logf("unreachable after %s", time.Since(killed))
	for _, server := range p.addresses() {
		p.refusedPromptly(t, server, 50001)
		p.refusedPromptly(t, server, lab.PortEPM)
	}

	c.failPromptly(t, p, killed)

	back := time.Now()
	p.restart(t, 50002)
	c.allWork(t, crewSize)
	t.Logf("all have a session again %s after the domain controller's return", time.Since(back))
	for _, server := range p.addresses() {
		lab.Eventually(t, lab.PromptTime, "the new port is intercepted and the old one is not", func() bool {
			return p.intercepted(t, server, 50002) && !p.intercepted(t, server, 50001)
		})
	}
	p.checkLeft(t, c)
}

// TestPathDomainControllerVanishesUnderLoad with its machine: nothing comes back any more, not even a reset. It counts as gone
// when neither the proxy nor a client has reached it.
func TestPathDomainControllerVanishesUnderLoad(t *testing.T) {
	p := startFailPath(t, lab.PathOptions{Limit: crewLimit, More: checkNSPI}, lab.DCOptions{NSPIPort: 50001, Deaf: true})
	c := startCrew(t, p, crewSize)

	vanished := time.Now()
	p.DCs[0].Silence(t)
	var first sync.WaitGroup
	for _, server := range p.addresses() {
		first.Go(func() {
			if took := p.refusedAfter(t, server, 50001); took > lab.SilenceTime {
				t.Errorf("the first client that finds nobody on %s has waited %s", server, took)
			}
		})
	}
	first.Wait()
	p.holdsNothing(t, lab.SilenceTime)
	known := time.Now()
	t.Logf("it is known after %s", known.Sub(vanished))
	lab.Eventually(t, crewTime, "no connection is left", func() bool { n, _ := c.endedAfter(vanished); return n == crewSize })
	if _, longest := c.endedAfter(vanished); longest > known.Sub(vanished)+lab.PromptTime {
		t.Errorf("a connection has ended after %s", longest)
	} else {
		t.Logf("the last connection has ended after %s", longest)
	}
	c.failPromptly(t, p, known)

	back := time.Now()
	p.DCs[0].Speak(t)
	c.allWork(t, crewSize)
	t.Logf("all have a session again %s after the domain controller's return", time.Since(back))
	c.leave()
	lab.Eventually(t, retransmitTime, "the domain controller has no session any more", func() bool { return p.dc.Count(t).Sessions == 0 })
	t.Logf("it has no session any more %s after its return", time.Since(back))
	p.checkLeft(t, c)
}

const (
	// failoverTimeout is the default of relay.failover_timeout: how long a client waits that is let try whether a domain controller
	// is back.
	failoverTimeout = 5 * time.Second
	// trialTime is how often a client is let try all the same, on each address.
	trialTime = 10 * time.Second
	// retransmitTime is longer than a kernel waits until it sends again what nobody has acknowledged for a quarter of a minute:
	// only then the domain controller hears that nobody has a connection any more.
	retransmitTime = 30 * time.Second
)

// failPromptly waits until everybody has tried ten times to get a session, and nobody has waited for an answer, but for those
// few who were let try whether it is back. The ports of NSPI are tried as well.
func (c *crew) failPromptly(t *testing.T, p *failPath, since time.Time) {
	t.Helper()
	var failed []span
	lab.Eventually(t, crewTime, "everybody has tried to connect", func() bool {
		for _, server := range p.addresses() {
			began := time.Now()
			took := p.refusedAfter(t, server, 50001)
			failed = append(failed, span{began: began, ended: began.Add(took)})
		}
		return len(c.attemptsBetween(since, time.Now())) >= 10*crewSize
	})
	failed = append(failed, c.attemptsBetween(since, time.Now())...)
	longest, slow := took(failed), 0
	for _, s := range failed {
		if s.ended.Sub(s.began) > lab.PromptTime {
			slow++
		}
	}
	allowed := 2 * (1 + int(time.Since(since)/trialTime))
	if longest > failoverTimeout+lab.PromptTime || slow > allowed {
		t.Errorf("of %d attempts %d were slow, want %d, the longest took %s", len(failed), slow, allowed, longest)
	} else {
		t.Logf("of %d attempts %d were slow, the longest took %s", len(failed), slow, longest)
	}
}
