//go:build lab

package failure

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// crew is clients, each with an address of its own, that each want a session with dc1 all the time: who loses it, or does not
// get one, asks the endpoint mapper again. Half of them open and close further sessions while they have one, the others are
// silent; half of either know the domain controller by IPv6.
type crew struct {
	stop    chan struct{}
	members sync.WaitGroup

	mu       sync.Mutex
	open     map[*lab.Conn]time.Time // connections of those who have a session, since when
	worked   map[*lab.Conn]time.Time // when the busy ones among them have closed a further session, the last time
	attempts []span                  // to get a session
	lives    []span                  // from having one to its connection's end
	refused  int                     // binds that a limit refused
}

// span is something that a member did, until it ended with err or with success.
type span struct {
	began, ended time.Time
	err          error
}

const (
	crewSize  = 200
	crewPace  = 200 * time.Millisecond // between two sessions of a member that opens more, and between two attempts
	crewLimit = 2                      // the sessions that a member has at most
)

var errRefused = errors.New("refused by a limit")

// startCrew starts size members on both client machines, and returns when all have a session.
func startCrew(t *testing.T, p *failPath, size int) *crew {
	t.Helper()
	c := &crew{stop: make(chan struct{}), open: map[*lab.Conn]time.Time{}, worked: map[*lab.Conn]time.Time{}}
	for n := range size {
		on, busy := p.Clients[n%2], n%4 < 2
		server, local := p.DCs[0].Address, on.More(n/2)
		if n%8 < 4 {
			server, local = p.DCs[0].Address6, on.More6(n/2)
		}
		c.members.Go(func() { c.member(on, server, local, busy) })
	}
	t.Cleanup(c.leave)
	c.allWork(t, size)
	return c
}

// member works until the crew leaves.
func (c *crew) member(on *lab.Machine, server, local netip.Addr, busy bool) {
	for {
		began := time.Now()
		client, err := join(on, server, local)
		c.tried(client, span{began, time.Now(), err})
		if err == nil {
			began = time.Now()
			err = c.work(client, busy)
			c.lived(client, span{began, time.Now(), err})
			client.Close()
		}
		select {
		case <-c.stop:
			return
		case <-time.After(crewPace):
		}
	}
}

// join gets a session.
func join(on *lab.Machine, server, local netip.Addr) (*lab.Conn, error) {
	port, err := on.MapPort(server.String())
	if err != nil {
		return nil, fmt.Errorf("endpoint mapper: %w", err)
	}
	return joinAt(on, netip.AddrPortFrom(server, port), local)
}

// joinAt gets a session at a port that is known.
func joinAt(on *lab.Machine, at netip.AddrPort, local netip.Addr) (*lab.Conn, error) {
	conn, err := on.Dial(at.String(), local)
	if err != nil {
		return nil, fmt.Errorf("NSPI: %w", err)
	}
	client := lab.NewConn(conn)
	if err = client.Bind(0); err == nil {
		_, err = opened(client)
	}
	if err != nil {
		client.Close()
		return nil, fmt.Errorf("NSPI: %w", err)
	}
	return client, nil
}

// opened opens a session.
func opened(client *lab.Conn) (nspi.Handle, error) {
	handle, code, err := client.NspiBind()
	if err == nil && code != nspi.Success {
		err = errRefused
	}
	return handle, err
}

// work uses a connection until it ends, or the crew leaves.
func (c *crew) work(client *lab.Conn, busy bool) error {
	for busy {
		handle, err := opened(client)
		if err == nil {
			_, err = client.NspiUnbind(handle)
		}
		if err != nil {
			return err
		}
		c.hasWorked(client)
		select {
		case <-c.stop:
			return nil
		case <-time.After(crewPace):
		}
	}
	_ = client.TCP.SetReadDeadline(time.Time{})
	_, err := client.TCP.Read(make([]byte, 1))
	return err
}

func (c *crew) hasWorked(client *lab.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.worked[client] = time.Now()
}

func (c *crew) tried(client *lab.Conn, s span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.attempts = append(c.attempts, s)
	if errors.Is(s.err, errRefused) {
		c.refused++
	}
	if s.err != nil {
		return
	}
	c.open[client] = s.began
	select {
	case <-c.stop:
		_ = client.TCP.CloseRead()
	default:
	}
}

func (c *crew) lived(client *lab.Conn, s span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lives = append(c.lives, s)
	if errors.Is(s.err, errRefused) {
		c.refused++
	}
	delete(c.open, client)
	delete(c.worked, client)
}

// leave ends all connections, in order, and returns when nobody is left.
func (c *crew) leave() {
	select {
	case <-c.stop:
		return
	default:
	}
	close(c.stop)
	c.mu.Lock()
	for client := range c.open {
		_ = client.TCP.CloseRead() // ends the wait of the silent ones
	}
	c.mu.Unlock()
	c.members.Wait()
}

// working is how many have a session.
func (c *crew) working() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.open)
}

// allWork waits until size members have a session.
func (c *crew) allWork(t *testing.T, size int) {
	t.Helper()
	lab.Eventually(t, crewTime, fmt.Sprintf("%d clients have a session", size), func() bool { return c.working() == size })
}

// nobodyWorks waits until no connection is left of those who had a session.
func (c *crew) nobodyWorks(t *testing.T) {
	t.Helper()
	lab.Eventually(t, crewTime, "no client has a session", func() bool { return c.working() == 0 })
}

// allWorkSince waits until size members have a session on a connection that they have made since then.
func (c *crew) allWorkSince(t *testing.T, size int, since time.Time) {
	t.Helper()
	lab.Eventually(t, crewTime, fmt.Sprintf("%d clients have a new session", size), func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return after(c.open, since) == size
	})
}

// busyWork waits until those of size members who open more sessions have done so since then.
func (c *crew) busyWork(t *testing.T, size int, since time.Time) {
	t.Helper()
	lab.Eventually(t, crewTime, "sessions are opened and closed", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return after(c.worked, since) == size/2
	})
}

// after is how many of these are after that moment.
func after(times map[*lab.Conn]time.Time, moment time.Time) (n int) {
	for _, at := range times {
		if at.After(moment) {
			n++
		}
	}
	return n
}

// crewTime is how long it may take until everybody has a session again, on a busy machine.
const crewTime = 60 * time.Second

// livesAfter are the lives that ended after that moment.
func (c *crew) livesAfter(moment time.Time) []span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(c.lives), func(s span) bool { return s.ended.Before(moment) })
}

// endedAfter is how many connections there were at that moment that have ended since, and how long after it the last one did.
func (c *crew) endedAfter(moment time.Time) (n int, longest time.Duration) {
	for _, s := range c.livesAfter(moment) {
		if s.began.Before(moment) {
			n, longest = n+1, max(longest, s.ended.Sub(moment))
		}
	}
	return n, longest
}

// attemptsBetween are the attempts that began and ended then.
func (c *crew) attemptsBetween(from, to time.Time) []span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(c.attempts), func(s span) bool { return s.began.Before(from) || s.ended.After(to) })
}

// took is how long the longest lasted.
func took(all []span) (longest time.Duration) {
	for _, s := range all {
		longest = max(longest, s.ended.Sub(s.began))
	}
	return longest
}

// isRefused says whether err is what a client sees of a reset, at whatever it was doing.
func isRefused(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EPIPE)
}
