//go:build lab

package failure

import (
	"errors"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
)

// TestPathProxyIsKilledUnderLoad goes through the table of proxy/transparent with the programs: what becomes of clients when
// the proxy is gone, before and after its service manager has noticed, and when it is back.
func TestPathProxyIsKilledUnderLoad(t *testing.T) {
	for _, mode := range bothModes {
		for _, whenDown := range []string{"open", "closed"} {
			t.Run(mode+" "+whenDown, func(t *testing.T) { killUnderLoad(t, mode, whenDown) })
		}
	}
}

func killUnderLoad(t *testing.T, mode string, whenDown string) {
	p := startFailPath(t, lab.PathOptions{Mode: mode, WhenDown: whenDown, Limit: crewLimit},
		lab.DCOptions{NSPIPort: 50001, KeepAlive: time.Second})
	c := startCrew(t, p, crewSize)

	killed := time.Now()
	p.Kill()
	if mode == "tproxy" && whenDown == "open" {
		c.allGoOn(t, killed)
	} else {
		c.allAreRefused(t, p, killed)
	}
	stopped := time.Now()
	lab.RunRules(t, p.Router, "--on-stop")
	if whenDown == "open" {
		c.allWork(t, crewSize)
		t.Logf("all have a session without the proxy %s after the rules are gone", time.Since(stopped))
	} else {
		c.allAreRefused(t, p, stopped)
	}

	back := time.Now()
	p.Apply(t)
	for _, server := range p.addresses() {
		if !p.intercepted(t, server, 50001) {
			t.Errorf("the port that was learnt on %s is not intercepted from the start", server)
		}
	}
	p.Serve(t)
	ready := time.Now()
	direct := 0
	lab.Eventually(t, crewTime, "everybody has a session", func() bool {
		direct = p.Passing(t)
		return c.working() == crewSize && int(p.Metrics(t).Sum("nspiproxy_connections"))+direct == crewSize
	})
	t.Logf("all have a session %s after the proxy's start, %d of them directly", time.Since(ready), direct)
	if (direct > 0) != (whenDown == "open") {
		t.Errorf("%d connections pass by", direct)
	}
	for _, s := range c.livesAfter(back) {
		t.Errorf("a connection has ended when the proxy came back: %v", s.err)
	}
	p.limitHolds(t)
	p.checkLeft(t, c)
}

// allGoOn waits until all connections of then have ended, and everybody has another one.
func (c *crew) allGoOn(t *testing.T, since time.Time) {
	t.Helper()
	c.allWorkSince(t, crewSize, since)
	c.allEnded(t, since)
}

// allAreRefused waits until all connections of then have ended, and everybody has tried to get another one.
func (c *crew) allAreRefused(t *testing.T, p *failPath, since time.Time) {
	t.Helper()
	var failed []span
	lab.Eventually(t, crewTime, "everybody has tried to connect", func() bool {
		failed = c.attemptsBetween(since, time.Now())
		return c.working() == 0 && len(failed) >= 2*crewSize
	})
	c.allEnded(t, since)
	for _, s := range failed {
		if !isRefused(s.err) {
			t.Fatalf("an attempt has ended with %v", s.err)
		}
	}
	if longest := took(failed); longest > lab.PromptTime {
		t.Errorf("an attempt was refused after %s", longest)
	} else {
		t.Logf("%d attempts were refused, the longest after %s", len(failed), longest)
	}
	if got := p.dc.Count(t); got.Connections != 0 || got.Sessions != 0 {
		t.Errorf("the domain controller has %+v", got)
	}
}

// allEnded holds how long the connections of then have lived on against what is prompt.
func (c *crew) allEnded(t *testing.T, since time.Time) {
	t.Helper()
	if n, longest := c.endedAfter(since); longest > lab.PromptTime {
		t.Errorf("%d connections have ended, the last after %s", n, longest)
	} else {
		t.Logf("%d connections have ended, the last after %s", n, longest)
	}
}

// limitHolds opens one session more than allowed.
func (p *failPath) limitHolds(t *testing.T) {
	t.Helper()
	client, err := join(p.Clients[0], p.DCs[0].Address, p.Clients[0].Address)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for n := 1; n < crewLimit; n++ {
		if _, err := opened(client); err != nil {
			t.Errorf("session %d: %v", n+1, err)
		}
	}
	if _, err := opened(client); !errors.Is(err, errRefused) {
		t.Errorf("one session more than allowed: %v", err)
	}
}
