//go:build lab

package pool

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

const (
	loadClients = 200 // each at an address of its own
	loadHolders = 60  // of these, those that keep an idle session

	// deadPause is how long a client waits before it connects again after an error, so that none of them spins.
	deadPause = 20 * time.Millisecond
)

// death is the end of a domain controller's process.
type death struct {
	who         serverGUID
	began, gone time.Time     // it was killed; it had ended
	lost        int           // errors of clients that were on it
	latest      time.Duration // the last of them after its end
}

// load is clients that bind, call and unbind without a pause, or hold a session, and what has become of that.
type load struct {
	stage   *poolStage
	address string // of NSPI
	stop    chan struct{}
	running sync.WaitGroup
	rounds  atomic.Int64

	mu     sync.Mutex
	deaths []*death
	served map[serverGUID]int // sessions by domain controller
	failed []string           // errors that nobody may have
}

// TestPoolLosesOnlyTheClientsOfADomainControllerThatDies under load, first of the one, then of the other. They know at once, its
// slots are free at once, and it is used again when it is back on other ports.
func TestPoolLosesOnlyTheClientsOfADomainControllerThatDies(t *testing.T) {
	s := startPool(t, lab.DCOptions{Anonymous: true}, unlimited)
	l := startLoad(t, s)
	for n := range s.dcs {
		l.killAndRestart(t, n, 50001+n)
	}
	l.end()
	for _, text := range l.failed {
		t.Errorf("an error for no reason: %s", text)
	}
	t.Logf("%d visits", l.rounds.Load())
	s.checkNobodyLeft(t)
}

// killAndRestart kills a domain controller, looks what becomes of everybody, and starts it again with NSPI on port.
func (l *load) killAndRestart(t *testing.T, n, port int) {
	t.Helper()
	dc, name := l.stage.dcs[n], fmt.Sprint("dc", 1+n)
	lab.Eventually(t, lab.SettleTime, "both are busy", func() bool {
		return l.stage.dcs[0].Count(t).Sessions > loadHolders/4 && l.stage.dcs[1].Count(t).Sessions > loadHolders/4
	})
	d := &death{who: guidOf(t, l.stage.Clients[0], dc), began: time.Now()}
	l.mu.Lock()
	l.deaths = append(l.deaths, d)
	l.mu.Unlock()
	dc.Kill()
	l.mu.Lock()
	d.gone = time.Now()
	l.mu.Unlock()
	lab.Eventually(t, lab.PromptTime, "its slots are free", func() bool { return l.stage.proxy.BackendMetric(t, "sessions", name) == 0 })
	before := l.rounds.Load()
	lab.Eventually(t, lab.SettleTime, "the other one has served everybody", func() bool { return l.rounds.Load() > before+2*loadClients })

	dc.Restart(t, port)
	now := guidOf(t, l.stage.Clients[0], dc)
	lab.Eventually(t, lab.SettleTime, "it is used again", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.served[now] > loadHolders
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	t.Logf("%s: %d clients were on it, and the last one knew after %s", name, d.lost, d.latest)
	if d.lost < loadHolders/4 || d.latest > lab.PromptTime {
		t.Errorf("%d clients of %s have lost their connections, the last one after %s", d.lost, name, d.latest)
	}
}

func startLoad(t *testing.T, s *poolStage) *load {
	t.Helper()
	l := &load{
		stage: s, stop: make(chan struct{}), served: map[serverGUID]int{},
		address: lab.HostPort(s.proxy.Front, nspiPort(t, s.Clients[0], s.proxy.Front)),
	}
	for n := range loadClients {
		l.running.Go(func() { l.client(n) })
	}
	t.Cleanup(l.end)
	return l
}

// end ends all clients, in order, and returns when they have.
func (l *load) end() {
	select {
	case <-l.stop:
	default:
		close(l.stop)
	}
	l.running.Wait()
}

func (l *load) ended() bool {
	select {
	case <-l.stop:
		return true
	default:
		return false
	}
}

// client works until the load ends.
func (l *load) client(n int) {
	on, local := l.stage.Clients[n%2], l.stage.Clients[n%2].More(n/2)
	for round := 0; !l.ended(); round++ {
		c := &visit{load: l, on: on, local: local, began: time.Now(), sealed: n%4 == 3, hold: n < loadHolders, ask: (n+round)%5 == 0}
		if err := c.run(); err != nil {
			l.note(c, err)
			time.Sleep(deadPause)
			continue
		}
		l.rounds.Add(1)
	}
}

// note judges an error: a client may have one if it was on a domain controller that has died, or may have been; and then soon
// after that death.
func (l *load) note(c *visit, err error) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range l.deaths {
		if now.Before(d.began) || c.where != d.who && (c.where != serverGUID{} || !d.gone.IsZero() && c.began.After(d.gone)) {
			continue
		}
		d.lost++
		if !d.gone.IsZero() {
			d.latest = max(d.latest, now.Sub(d.gone))
		}
		return
	}
	l.failed = append(l.failed, fmt.Sprintf("%v: a client of %s that began %s ago, on %x: %v",
		now.Format(time.TimeOnly), c.local, now.Sub(c.began), c.where[:2], err))
}

// visit is one connection of a client.
type visit struct {
	load              *load
	on                *lab.Machine
	local             netip.Addr
	began             time.Time
	sealed, hold, ask bool
	where             serverGUID // zero: not known yet
}

func (c *visit) run() error {
	if c.ask {
		if err := c.askMapper(); err != nil {
			return fmt.Errorf("endpoint mapper: %w", err)
		}
	}
	options := client.Options{
		Contexts: []rpcparse.ContextElement{client.Context(0, nspi.Interface), client.Context(1, simdc.EchoInterface)},
		Local:    c.local, Connect: c.on.Dial,
	}
	if c.sealed {
		options.Security = &client.Security{Level: rpcparse.LevelPrivacy, Domain: lab.Domain, User: lab.Alice.Name, Password: lab.Alice.Password}
	}
	conn, err := client.Dial(c.load.address, options)
	if err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	defer conn.Close()
	conn.Timeout = lab.AnswerTime
	handle, err := c.open(conn)
	if err != nil {
		return fmt.Errorf("NspiBind: %w", err)
	}
	if c.hold {
		if err := c.wait(conn); err != nil {
			return err
		}
	} else if err := c.echo(conn); err != nil {
		return fmt.Errorf("call: %w", err)
	}
	if err := conn.NspiUnbind(handle); err != nil {
		return fmt.Errorf("NspiUnbind: %w", err)
	}
	return nil
}

func (c *visit) askMapper() error {
	port, err := c.on.MapPort(c.load.stage.proxy.Front)
	if err == nil && lab.HostPort(c.load.stage.proxy.Front, int(port)) != c.load.address {
		err = fmt.Errorf("NSPI is on port %d", port)
	}
	return err
}

// open opens a session, and learns from the answer where it is.
func (c *visit) open(conn *client.Conn) (nspi.Handle, error) {
	id, err := conn.SendNspiBind()
	if err != nil {
		return nspi.Handle{}, err
	}
	a, err := conn.Await(id)
	if err != nil {
		return nspi.Handle{}, err
	}
	r, err := nspi.ParseBindResponse(a.Stub, nspi.NDR, a.Order)
	if err == nil && !r.Granted() {
		err = errors.New(r.Code.String())
	}
	c.where = r.GUID
	c.load.mu.Lock()
	defer c.load.mu.Unlock()
	c.load.served[c.where]++
	return r.Handle, err
}

// echo makes calls of several sizes.
func (c *visit) echo(conn *client.Conn) error {
	context := uint16(1)
	for _, size := range []int{16, 3_000, 12_000} {
		stub := simdc.EchoPattern(size)
		answer, err := conn.Do(client.Request{Opnum: simdc.EchoOpnum, Stub: stub, ContextID: &context})
		if err != nil {
			return err
		}
		if !bytes.Equal(answer, stub) {
			return fmt.Errorf("%d bytes came back as others", size)
		}
	}
	return nil
}

// wait holds a silent connection until the load ends, or the connection does, which is an error.
func (c *visit) wait(conn *client.Conn) error {
	if err := conn.TCP.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	stopped := make(chan struct{})
	defer close(stopped)
	go func() {
		select {
		case <-c.load.stop:
			_ = conn.TCP.SetReadDeadline(time.Now()) // fails if the connection has ended
		case <-stopped:
		}
	}()
	n, err := conn.TCP.Read(make([]byte, 1))
	var timeout net.Error
	switch {
	case n > 0:
		return errors.New("an answer that nobody asked for")
	case errors.As(err, &timeout) && timeout.Timeout():
		return nil
	}
	return fmt.Errorf("while silent: %w", err)
}
