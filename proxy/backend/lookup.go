package backend

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"
)

// target is a domain controller as DNS knows it.
type target struct {
	host     string
	priority uint16
	addr     netip.Addr
}

// targets is the answer for an SRV name.
type targets struct {
	list  []target // by host; no host and no address twice
	ttl   time.Duration
	named int // records in the answer, used or not
	// partial: the question for an address failed, and the address is that of an
	// earlier answer, or the host is left out.
	partial bool
}

// lookup asks for the targets of an absolute SRV name and for their addresses.
// before is the addresses of an earlier answer, by host.
func (r *resolver) lookup(ctx context.Context, name string, before map[string]netip.Addr) (targets, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	m, err := r.query(ctx, dns.Fqdn(name), dns.TypeSRV)
	if err != nil {
		return targets{}, err
	}
	records := answersOf[*dns.SRV](m.Answer, dns.Fqdn(name))
	if len(records.list) == 0 {
		return targets{}, errors.New("the answer has no SRV records")
	}
	found := targets{ttl: records.ttl, named: len(records.list)}
	for _, t := range candidates(records.list) {
		ttl, err := r.address(ctx, &t, m.Extra)
		switch {
		case errors.Is(err, errNoAddress):
			continue
		case err != nil:
			found.partial = true
			if t.addr = before[t.host]; !t.addr.IsValid() {
				continue
			}
		default:
			found.ttl = min(found.ttl, ttl)
		}
		if !slices.ContainsFunc(found.list, func(o target) bool { return o.addr == t.addr }) {
			found.list = append(found.list, t)
		}
	}
	if len(found.list) == 0 {
		return targets{}, fmt.Errorf("none of %d targets has an address", found.named)
	}
	slices.SortFunc(found.list, func(a, b target) int { return cmp.Compare(a.host, b.host) })
	return found, nil
}

// candidates returns the hosts that records name, each once with its lowest
// priority: at most maxTargets, those of the lowest priorities.
func candidates(records []*dns.SRV) []target {
	var list []target
	for _, rr := range records {
		if host, ok := hostName(rr.Target); ok {
			list = append(list, target{host: host, priority: rr.Priority})
		}
	}
	slices.SortFunc(list, func(a, b target) int {
		return cmp.Or(cmp.Compare(a.host, b.host), cmp.Compare(a.priority, b.priority))
	})
	list = slices.CompactFunc(list, func(a, b target) bool { return a.host == b.host })
	slices.SortStableFunc(list, func(a, b target) int { return cmp.Compare(a.priority, b.priority) })
	return list[:min(len(list), maxTargets)]
}

// errNoAddress is a host that has no address that could be used.
var errNoAddress = errors.New("no usable address")

// address finds the address of t, in the additional section of the SRV answer
// or by questions of its own.
//
// IPv4 is preferred: towers of the endpoint mapper carry nothing else, so clients
// of NSPI connect to it, while domain controllers register IPv6 addresses that
// cannot be reached from other networks. Of several addresses the lowest is taken:
// DNS servers rotate them, and the address must stay the same.
func (r *resolver) address(ctx context.Context, t *target, extra []dns.RR) (time.Duration, error) {
	name := dns.Fqdn(t.host)
	for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
		addr, ttl := lowest(extra, name, qtype)
		if !addr.IsValid() {
			m, err := r.query(ctx, name, qtype)
			if errors.Is(err, errNoName) {
				return 0, errNoAddress
			}
			if err != nil {
				return 0, err
			}
			addr, ttl = lowest(m.Answer, name, qtype)
		}
		if addr.IsValid() {
			t.addr = addr
			return ttl, nil
		}
	}
	return 0, errNoAddress
}

// lowest returns the lowest usable address of name among records.
func lowest(records []dns.RR, name string, qtype uint16) (addr netip.Addr, ttl time.Duration) {
	consider := func(ip []byte) {
		a, _ := netip.AddrFromSlice(ip)
		if a = a.Unmap(); usable(a) && (!addr.IsValid() || a.Less(addr)) {
			addr = a
		}
	}
	if qtype == dns.TypeA {
		found := answersOf[*dns.A](records, name)
		for _, rr := range found.list {
			consider(rr.A)
		}
		return addr, found.ttl
	}
	found := answersOf[*dns.AAAA](records, name)
	for _, rr := range found.list {
		consider(rr.AAAA)
	}
	return addr, found.ttl
}
