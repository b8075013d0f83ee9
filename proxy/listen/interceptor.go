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
)

// portInterceptor keeps what the packet filter leads to the transparent listeners
// equal to what is known of the domain controllers: the ports of NSPI that
// endpoint mappers name to clients, and to the proxy when it asks.
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

// learn begins to intercept a port of dc on which NSPI is. If connections to it
// may still pass by, it returns true and calls done, from any goroutine, when
// they cannot any more, or when that has failed.
func (n *portInterceptor) learn(dc *backend.DC, port uint16, done func()) (fresh bool) {
	n.all.Controllers.Watch(dc)
	ap := netip.AddrPortFrom(dc.Addr, port)
	if n.watcher.Ports.Has(ap) {
		return false
	}
	err := n.room(dc, func(own int) int { return own + 1 })
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
func (n *portInterceptor) confirm(dc *backend.DC, ports []uint16) {
	if err := n.room(dc, func(int) int { return len(ports) }); err != nil {
		n.failed(dc, err)
		return
	}
	added, removed, err := n.ports.Confirm(dc.Addr, ports)
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

// room says why dc must not have more ports than are known of it; nil: it may.
// after tells from their number how many there will be.
func (n *portInterceptor) room(dc *backend.DC, after func(own int) int) error {
	if n.listed(dc) {
		return nil // bounded by the store itself
	}
	known, own := n.ports.List(), 0
	for _, ap := range known {
		if ap.Addr() == dc.Addr {
			own++
		}
	}
	if next := after(own); next > maxUnlisted || next > own && len(known) >= maxLearnt {
		return fmt.Errorf("it is not listed in the configuration, and would have %d; %d are learnt in all", next, len(known))
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
func (i interceptedDC) Intercept(port uint16, done func()) (fresh bool) {
	return i.interceptor.learn(i.dc, port, done)
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
