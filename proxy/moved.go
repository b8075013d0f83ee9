package proxy

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/inspect"
	"github.com/nspiproxy/nspiproxy/proxy/listen"
	"github.com/nspiproxy/nspiproxy/proxy/standby"
)

// lookInterval is how often the addresses of this machine are looked at, beside the
// news of the kernel, and how long a connection that waits for a link may do so when
// that is there.
const lookInterval = time.Second

// standbyCommand is the reason of what the command has ended.
const standbyCommand = "nspiproxy standby"

// paths ends the connections whose path has moved to another machine.
type paths struct {
	listeners *listen.Listeners
	events    inspect.Events
	watch     *standby.Watch
	commands  chan chan<- standby.Result // nspiproxy standby
	socket    *standby.Socket            // nil: none
	waiting   int                        // connections that wait for a link
}

func newPaths(c *policy.Config, listeners *listen.Listeners, events inspect.Events) *paths {
	return &paths{
		listeners: listeners, events: events, commands: make(chan chan<- standby.Result),
		watch: standby.NewWatch(c.Transparent.VirtualAddresses, listeners.Addresses()),
	}
}

// open opens the socket of the command, where a listener is transparent.
func (p *paths) open(c *policy.Config) {
	if len(c.TransparentListeners()) == 0 {
		return
	}
	file := c.Transparent.StandbySocket()
	socket, err := standby.Listen(file, p.command)
	if err != nil {
		_, noFolder := os.Stat(filepath.Dir(file))
		p.events.Report(inspect.StandbySocket{Err: err, Expected: os.IsNotExist(noFolder)})
		return
	}
	p.socket = socket
}

func (p *paths) close() {
	if p.socket != nil {
		p.socket.Close()
	}
}

// command ends everything that comes through this machine.
func (p *paths) command(ctx context.Context) (r standby.Result, err error) {
	done := make(chan standby.Result, 1)
	select {
	case p.commands <- done:
	case <-ctx.Done():
		return r, ctx.Err()
	}
	select {
	case r = <-done:
		return r, nil
	case <-ctx.Done():
		return r, ctx.Err()
	}
}

// run watches until ctx ends.
func (p *paths) run(ctx context.Context) {
	changes, err := standby.Changes(ctx)
	if err != nil {
		p.events.Report(inspect.StandbySocket{Err: err}) // a look each second is left
	}
	tick := time.NewTicker(lookInterval)
	defer tick.Stop()
	for p.look(ctx); ctx.Err() == nil; {
		select {
		case done := <-p.commands:
			settle(ctx)
			now, _ := standby.Addresses() // unknown ones are not here
			done <- p.end(ctx, standbyCommand, func(transparent bool, to netip.Addr) bool {
				return transparent || !to.IsLoopback() && !slices.Contains(now, to)
			})
		case <-changes:
			p.look(ctx)
		case <-tick.C:
			p.look(ctx)
		case <-ctx.Done():
		}
	}
}

// look ends the connections whose addresses have left this machine, and those that
// wait, as far as that is possible now.
func (p *paths) look(ctx context.Context) {
	now, err := standby.Addresses()
	if err != nil {
		return // unknown: the next look shows it
	}
	lost := p.watch.Look(now, time.Now())
	switch {
	case lost.Any():
		settle(ctx)
		if now, err := standby.Addresses(); err == nil {
			lost = lost.With(p.watch.Look(now, time.Now()))
		}
		p.end(ctx, "not on this machine any more: "+listed(slices.Concat(lost.Virtual, lost.Own)), lost.Has)
	case p.waiting > 0:
		p.end(ctx, "reachable again", nil)
	}
}

func listed(addrs []netip.Addr) string {
	texts := make([]string, len(addrs))
	for i, a := range addrs {
		texts[i] = a.String()
	}
	return strings.Join(texts, ", ")
}

// settleTime is how long after the loss of the path connections are reset: of addresses
// that leave together, and cables that are cut at the same time, one is noticed after
// the other.
const settleTime = 250 * time.Millisecond

// settle waits for settleTime.
func settle(ctx context.Context) {
	select {
	case <-time.After(settleTime):
	case <-ctx.Done():
	}
}

// end resets connections and returns the result, which is empty when ctx ends before.
func (p *paths) end(ctx context.Context, reason string, is func(transparent bool, to netip.Addr) bool) (r standby.Result) {
	done := make(chan standby.Result, 1)
	p.listeners.ResetMoved(is, reachable(), func(ended, waiting int) { done <- standby.Result{Ended: ended, Waiting: waiting} })
	select {
	case r = <-done:
	case <-ctx.Done():
		return r
	}
	if r.Ended > 0 || r.Waiting > p.waiting || reason == standbyCommand {
		p.events.Report(inspect.PathMoved{Reason: reason, Ended: r.Ended, Waiting: r.Waiting})
	}
	p.waiting = r.Waiting
	return r
}

// reachable returns standby.Linked for one pass over the connections, with one question
// for each domain controller.
func reachable() func(netip.Addr) bool {
	var mu sync.Mutex
	known := make(map[netip.Addr]bool)
	return func(addr netip.Addr) bool {
		mu.Lock()
		defer mu.Unlock()
		linked, ok := known[addr]
		if !ok {
			linked = standby.Linked(addr)
			known[addr] = linked
		}
		return linked
	}
}
