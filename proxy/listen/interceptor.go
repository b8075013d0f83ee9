package listen

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/backend"
	"github.com/nspiproxy/nspiproxy/proxy/inspect"
	"github.com/nspiproxy/nspiproxy/proxy/transparent"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/tower"
)

// portInterceptor keeps what the packet filter leads to the transparent listeners
// equal to what is known of the domain controllers: the ports of NSPI, and those of its
// process, that endpoint mappers name to clients, and to the proxy when it asks.
type portInterceptor struct {
	all       *Listeners
	listeners []*policy.Listener
	ports     *transparent.Ports
	watcher   *transparent.Watcher
}

// newPortInterceptor reads what was learnt in an earlier run. It returns nil for a
// configuration without transparent listeners.
func (l *Listeners) newPortInterceptor() *portInterceptor {
	n := &portInterceptor{all: l, listeners: l.Config.TransparentListeners()}
	if len(n.listeners) == 0 {
		return nil
	}
	n.ports = transparent.OpenPorts(string(l.Config.Transparent.StateFile), n.reportState)
	for _, ap := range n.ports.List() {
		if !l.Config.LeadsTo(ap.Addr()) {
			_, _, _ = n.ports.Confirm(ap.Addr(), nil) // fails for too many ports only
		}
	}
	n.watcher = transparent.New(l.Config).NewWatcher(n.ports, transparent.WatchOptions{
		Repair: l.Config.Transparent.Repair, Report: n.reportKernel,
	})
	return n
}

// watchKnown asks the endpoint mappers of the domain controllers that are known
// without a client: from an earlier run, which may be wrong by now, and from
// destinations that are single addresses. Other destinations are networks, in
// which clients show where domain controllers are.
func (n *portInterceptor) watchKnown(ctx context.Context) {
	tick := time.NewTicker(10 * time.Millisecond) // until the set of domain controllers is at work, which is at once
	defer tick.Stop()
	known, working := n.known(), false
	for len(known) > 0 {
		if n.all.Controllers.Watch(n.all.Controllers.At(known[0])) {
			working = true
		}
		if working {
			known = known[1:] // or there are too many
			continue
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// known returns the addresses of domain controllers that are known without a
// client.
func (n *portInterceptor) known() (list []netip.Addr) {
	for _, l := range n.listeners {
		for _, d := range l.Destinations {
			if d.IsSingleIP() {
				list = append(list, d.Addr())
			}
		}
	}
	for _, ap := range n.ports.List() {
		list = append(list, ap.Addr())
	}
	return list
}

// learn begins to intercept a port of dc, which has no more than atMost if it is not
// listed. If connections to it may still pass by, learn returns true and calls done,
// from any goroutine, when they cannot any more, or when that has failed.
func (n *portInterceptor) learn(dc *backend.DC, port uint16, atMost int, done func()) (fresh bool) {
	n.all.Controllers.Watch(dc)
	ap := netip.AddrPortFrom(dc.Addr, port)
	if n.watcher.Ports.Has(ap) {
		return false
	}
	err := n.room(dc, atMost, func(own int) int { return own + 1 })
	if err == nil {
		_, err = n.ports.Learn(ap)
	}
	if err != nil {
		n.failed(dc, err)
		return false
	}
	n.watcher.Ports.Add(ap, func(err error) {
		if err != nil {
			n.failed(dc, err)
		}
		done()
	})
	return true
}

// confirm takes what the endpoint mapper of a domain controller says to the
// proxy itself: it replaces what was known.
func (n *portInterceptor) confirm(dc *backend.DC, told backend.Ports) {
	ports, err := n.wanted(dc, told)
	if err != nil {
		n.failed(dc, err)
	}
	if len(ports) == 0 {
		return
	}
	added, removed, err := n.ports.Confirm(dc.Addr, ports)
	if err != nil && len(ports) > len(told.NSPI) { // rather these than none
		n.failed(dc, err)
		added, removed, err = n.ports.Confirm(dc.Addr, told.NSPI)
	}
	if err != nil {
		n.failed(dc, err)
		return
	}
	if len(added)+len(removed) == 0 {
		return
	}
	n.watcher.Ports.Sync(func(err error) {
		if err != nil {
			n.failed(dc, err)
		}
	})
}

const (
	// maxUnlisted is how many ports may be learnt of an address that the
	// configuration does not name: any machine in the destinations may say that it
	// has NSPI. Domain controllers have it on one or two.
	maxUnlisted = 8
	// maxLearnt is how many ports there may be before no more are learnt of such
	// addresses, so that room is left for those that are named.
	maxLearnt = 2048
)

// room says why dc must not have more ports than are known of it; nil: it may, if it
// has no more than atMost in the end, or is listed. after tells from their number how
// many there will be.
func (n *portInterceptor) room(dc *backend.DC, atMost int, after func(own int) int) error {
	if n.listed(dc) {
		return nil // bounded by the store itself
	}
	own, known := n.ports.Count(dc.Addr)
	if next := after(own); next > atMost || next > own && known >= maxLearnt {
		return fmt.Errorf("it is not listed in the configuration, and would have %d; %d are learnt in all", next, known)
	}
	return nil
}

// listed reports whether the configuration names a domain controller: as a
// backend, or as a destination by itself.
func (n *portInterceptor) listed(dc *backend.DC) bool {
	if n.all.Config.Backend(dc.BackendName()) != nil {
		return true
	}
	return slices.ContainsFunc(n.listeners, func(l *policy.Listener) bool {
		return slices.ContainsFunc(l.Destinations, func(p netip.Prefix) bool { return p.IsSingleIP() && p.Addr() == dc.Addr })
	})
}

func (n *portInterceptor) failed(dc *backend.DC, err error) {
	n.all.Inspect.Events.Report(inspect.InterceptionFailed{DC: dc.Name, Err: err})
}

// interceptedDC learns the ports of one domain controller from its answers to
// clients. It implements inspect.PortInterceptor.
type interceptedDC struct {
	interceptor *portInterceptor
	dc          *backend.DC
}

// Intercept implements inspect.PortInterceptor.
func (i interceptedDC) Intercept(end tower.Endpoint, done func()) (fresh bool) {
	if end.Interface.UUID == nspi.Interface.UUID {
		return i.interceptor.learn(i.dc, end.Port, maxUnlisted, done)
	}
	return i.interceptor.learnProcess(i.dc, end, done)
}

// Watch implements inspect.PortInterceptor: the proxy asks the endpoint mapper
// itself.
func (i interceptedDC) Watch() { i.interceptor.all.Controllers.Watch(i.dc) }

func (n *portInterceptor) reportState(err error) {
	n.all.Inspect.Events.Report(inspect.PortStore{Err: err})
}

func (n *portInterceptor) reportKernel(r transparent.Report) {
	n.all.Inspect.Events.Report(inspect.InterceptedPorts{
		Ports: len(n.ports.List()), Reason: string(r.Reason), Err: r.Err, By: r.By, Repaired: r.Repaired, After: r.After,
	})
}

// close keeps what was learnt.
func (n *portInterceptor) close() {
	n.watcher.Close()
	if err := n.ports.Close(); err != nil {
		n.reportState(err)
	}
}
