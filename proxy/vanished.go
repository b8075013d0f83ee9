package proxy

import (
	"net/netip"
	"sync"
	"time"
)

// vanished finds out which hosts have vanished: a machine that lost its power sends no
// reset, and what is held on it must be free again. That connects are not answered is
// a suspicion and no more: a domain controller under load loses new connections while
// those that it has live on. So they are asked, and none is ended while anything at
// all arrives from the host.
type vanished struct {
	connections connections
	givenUp     func(host netip.Addr) // is called when a host was given up; on a loop
	now         func() time.Time

	mu    sync.Mutex
	asked map[netip.Addr]time.Time // hosts that are suspected: since when their connections are asked
}

// connections are those of a relay.Group.
type connections interface {
	Ask(server netip.Addr, answer func(quiet time.Duration, conns int))
	StopAsking(server netip.Addr)
	CloseServer(server netip.Addr, silent time.Duration)
}

const (
	// askTime is how long the connections to a host are asked before it is given up:
	// two or three times each.
	askTime = 5 * time.Second
	// askSlack is how much later than the first question the kernel may have asked.
	askSlack = time.Second
)

func newVanished(c connections, givenUp func(host netip.Addr)) *vanished {
	return &vanished{connections: c, givenUp: givenUp, now: time.Now, asked: make(map[netip.Addr]time.Time)}
}

// checked notes whether a connect to a host was answered.
func (v *vanished) checked(host netip.Addr, answered bool) {
	switch {
	case answered:
		v.clear(host)
	case v.askedFor(host) == 0:
		v.connections.Ask(host, func(time.Duration, int) {})
	}
}

// askedFor returns how long the connections to a host have been asked; 0: they are
// from now on.
func (v *vanished) askedFor(host netip.Addr) time.Duration {
	v.mu.Lock()
	defer v.mu.Unlock()
	since, known := v.asked[host]
	if !known {
		v.asked[host] = v.now()
		return 0
	}
	return max(1, v.now().Sub(since))
}

// judge ends the connections to a host if nothing has come on any of them since they
// are asked. It is called as long as nothing answers connects either, some seconds
// apart.
func (v *vanished) judge(host netip.Addr) {
	asked := v.askedFor(host)
	v.connections.Ask(host, func(quiet time.Duration, conns int) {
		if asked >= askTime && conns > 0 && quiet >= asked-askSlack {
			v.connections.CloseServer(host, asked-askSlack)
			v.givenUp(host)
		}
	})
}

// clear ends a suspicion, if there is one.
func (v *vanished) clear(host netip.Addr) {
	v.mu.Lock()
	_, known := v.asked[host]
	delete(v.asked, host)
	v.mu.Unlock()
	if known {
		v.connections.StopAsking(host)
	}
}
