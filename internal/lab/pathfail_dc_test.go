//go:build lab

package lab

import (
	"testing"
	"time"
)

// checkNSPI is the section health of the configuration as it is by default.
const checkNSPI = "health: {check: nspi}\n"

// TestPathDomainControllerIsKilledUnderLoad and comes back with NSPI on another port.
func TestPathDomainControllerIsKilledUnderLoad(t *testing.T) {
	p := startFailPath(t, pathOptions{limit: crewLimit, more: checkNSPI}, DCOptions{NSPIPort: 50001})
	c := startCrew(t, p, crewSize)

	killed := time.Now()
	p.dc.Kill()
	p.holdsNothing(t, promptEnd)
	t.Logf("the slots are free after %s", time.Since(killed))
	c.nobodyWorks(t)
	if n, longest := c.endedAfter(killed); n != crewSize || longest > promptEnd {
		t.Errorf("%d connections have ended, the last after %s", n, longest)
	} else {
		t.Logf("%d connections have ended, the last after %s", n, longest)
	}
	p.becomesUnreachable(t)
	t.Logf("unreachable after %s", time.Since(killed))
	for _, server := range p.addresses() {
		p.refusedPromptly(t, server, 50001)
		p.refusedPromptly(t, server, portEPM)
	}

	c.failPromptly(t, killed)

	back := time.Now()
	p.restart(t, 50002)
	c.allWork(t, crewSize)
	t.Logf("all have a session again %s after the domain controller's return", time.Since(back))
	for _, server := range p.addresses() {
		Eventually(t, promptEnd, "the new port is intercepted and the old one is not", func() bool {
			return p.intercepted(t, server, 50002) && !p.intercepted(t, server, 50001)
		})
	}
	p.checkLeft(t, c)
}

// TestPathDomainControllerVanishesUnderLoad with its machine: nothing comes back any more, not even a reset.
func TestPathDomainControllerVanishesUnderLoad(t *testing.T) {
	p := startFailPath(t, pathOptions{limit: crewLimit, more: checkNSPI}, DCOptions{NSPIPort: 50001, Deaf: true})
	c := startCrew(t, p, crewSize)

	vanished := time.Now()
	p.DCs[0].Silence(t)
	p.refusedWithin(t, p.addresses()[0], 50001, connectTimeout+promptEnd)
	p.becomesUnreachable(t)
	p.holdsNothing(t, silentEnd) // an attempt of a client may have been the last one that it took: the proxy sees for itself
	known := time.Now()
	t.Logf("it is known after %s", known.Sub(vanished))
	Eventually(t, crewTime, "no connection is left", func() bool { n, _ := c.endedAfter(vanished); return n == crewSize })
	if _, longest := c.endedAfter(vanished); longest > known.Sub(vanished)+promptEnd {
		t.Errorf("a connection has ended after %s", longest)
	} else {
		t.Logf("the last connection has ended after %s", longest)
	}
	c.failPromptly(t, known)
	for _, server := range p.addresses() {
		p.refusedPromptly(t, server, 50001)
		p.refusedPromptly(t, server, portEPM)
	}

	back := time.Now()
	p.DCs[0].Speak(t)
	c.allWork(t, crewSize)
	t.Logf("all have a session again %s after the domain controller's return", time.Since(back))
	c.leave()
	Eventually(t, retransmitTime, "the domain controller has no session any more", func() bool { return p.dc.Count(t).Sessions == 0 })
	p.checkLeft(t, c)
}

// connectTimeout is the default of relay.connect_timeout: how long a client waits for a domain controller of which it is not
// known yet that it is gone.
const connectTimeout = 5 * time.Second

// retransmitTime is longer than the domain controller's kernel waits until it sends again what nobody has acknowledged for a
// quarter of a minute: only then it hears that nobody has that connection any more.
const retransmitTime = 30 * time.Second

// failPromptly waits until everybody has tried ten times to get a session, and nobody has waited for an answer.
func (c *crew) failPromptly(t *testing.T, since time.Time) {
	t.Helper()
	var failed []span
	Eventually(t, crewTime, "everybody has tried to connect", func() bool {
		failed = c.attemptsBetween(since, time.Now())
		return len(failed) >= 10*crewSize
	})
	if longest := took(failed); longest > promptEnd {
		t.Errorf("an attempt has failed after %s", longest)
	} else {
		t.Logf("%d attempts have failed, the longest after %s", len(failed), longest)
	}
}
