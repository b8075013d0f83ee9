package backend

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// unansweredToProve is how many signs in a row that connections under addresses of
	// a network are not answered have this machine try for itself. One may be a single
	// client that is not let in.
	unansweredToProve = 2
	// moreToProveAgain is how many times as many it takes after a client of the network
	// was answered all the same: some of them are let in, and some not.
	moreToProveAgain = 4
	// maxToProve bounds that.
	maxToProve = 512
	// maxClientNetworks is how many networks are looked at for one domain controller; a
	// company has some at each site.
	maxClientNetworks = 64
	// clientNetworkTime is how long after its last sign a network is forgotten.
	clientNetworkTime = 10 * time.Minute
	// shownNetworks is how many are named in a record.
	shownNetworks = 4
)

// clientNetwork is the network of a client: what is routed alike has, as a rule, the
// first 24 bits of its IPv4 addresses or the first 64 of its IPv6 addresses in common.
func clientNetwork(client netip.Addr) netip.Prefix {
	client = client.Unmap().WithZone("")
	bits := 64
	if client.Is4() {
		bits = 24
	}
	p, _ := client.Prefix(bits) // fails only for the zero Addr
	return p
}

// clientPaths is whether connections under clients' own addresses to one domain
// controller are answered, by the networks of the clients. Its zero value knows of none.
type clientPaths struct {
	suspect atomic.Int32 // how many networks there are: an answer costs a load where there is none
	mu      sync.Mutex
	nets    map[netip.Prefix]*clientPath
}

// clientPath is a network some of whose clients were not answered.
type clientPath struct {
	port     uint16 // that the last of them connected to
	signs    int    // in a row
	need     int    // of them, to try for ourselves
	last     time.Time
	proving  bool
	reported bool // this machine is answered at that port, and they are not
}

// unanswered takes a sign that a client is not answered at port. It reports whether this
// machine must try the same for itself.
func (p *clientPaths) unanswered(client netip.Addr, port uint16, now time.Time) (prove bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	net := clientNetwork(client)
	n := p.nets[net]
	if n == nil {
		if len(p.nets) >= maxClientNetworks {
			return false
		}
		if p.nets == nil {
			p.nets = make(map[netip.Prefix]*clientPath)
		}
		n = &clientPath{need: unansweredToProve}
		p.nets[net] = n
		p.suspect.Store(int32(len(p.nets)))
	}
	n.port, n.last = port, now
	n.signs++
	if n.reported || n.proving || n.signs < n.need {
		return false
	}
	n.proving = true
	return true
}

// answered takes that a client is answered. It reports whether with that the last
// network is gone that was reported.
func (p *clientPaths) answered(client netip.Addr) (over bool) {
	if p.suspect.Load() == 0 {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.nets[clientNetwork(client)]
	if n == nil {
		return false
	}
	over = n.reported && p.reportedNetworks() == 1
	if n.reported {
		n.need = min(n.need*moreToProveAgain, maxToProve)
	}
	n.signs, n.proving, n.reported = 0, false, false
	return over
}

// known reports whether it was reported that clients of this one's network are not
// answered.
func (p *clientPaths) known(client netip.Addr) bool {
	if p.suspect.Load() == 0 {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.nets[clientNetwork(client)]
	return n != nil && n.reported
}

// due returns the networks for which this machine must try, and at which ports.
func (p *clientPaths) due() map[netip.Prefix]uint16 {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make(map[netip.Prefix]uint16)
	for net, n := range p.nets {
		if n.proving {
			list[net] = n.port
		}
	}
	return list
}

// unproved takes that this machine does not try.
func (p *clientPaths) unproved() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, n := range p.nets {
		n.signs, n.proving = 0, false
	}
}

// proved takes whether this machine was answered at the port, several times, while
// clients of the network were not. It reports whether that is the first such network.
func (p *clientPaths) proved(net netip.Prefix, reached bool) (begun bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.nets[net]
	if n == nil || !n.proving { // a client has been answered meanwhile
		return false
	}
	begun = reached && p.reportedNetworks() == 0
	n.signs, n.proving, n.reported = 0, false, reached
	return begun
}

// forget forgets networks of which there has been no sign for long. It reports whether
// there is none left, and whether with them the last one is gone that was reported.
func (p *clientPaths) forget(now time.Time) (none, over bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.reportedNetworks()
	for net, n := range p.nets {
		if !n.proving && now.Sub(n.last) >= clientNetworkTime {
			delete(p.nets, net)
		}
	}
	p.suspect.Store(int32(len(p.nets)))
	return len(p.nets) == 0, before > 0 && p.reportedNetworks() == 0
}

// reportedNetworks is how many were reported. p.mu is held.
func (p *clientPaths) reportedNetworks() (n int) {
	for _, net := range p.nets {
		if net.reported {
			n++
		}
	}
	return n
}

// String names the networks that were reported, some of them if there are many.
func (p *clientPaths) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var names []string
	for net, n := range p.nets {
		if n.reported {
			names = append(names, fmt.Sprintf("%v to port %d", net, n.port))
		}
	}
	slices.Sort(names)
	if len(names) > shownNetworks {
		names = append(names[:shownNetworks], fmt.Sprintf("%d more", len(names)-shownNetworks))
	}
	return strings.Join(names, ", ")
}
