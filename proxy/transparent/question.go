package transparent

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/nspiproxy/nspiproxy/policy"
)

// question is what the kernel is asked for: the route of a TCP packet that arrives.
type question struct {
	to, from netip.Addr // from may be invalid
	in       link       // where it arrives; the zero link: it is this machine's own
	mark     uint32
	toPort   uint16 // 0: any
	fromPort uint16 // 0: any
}

// String is the question as it is asked by hand.
func (q question) String() string {
	text := fmt.Sprintf("ip route get %v", q.to)
	if q.from.IsValid() {
		text += fmt.Sprintf(" from %v", q.from)
	}
	if q.in.index != 0 {
		text += " iif " + q.in.name
	}
	if q.mark != 0 {
		text += fmt.Sprintf(" mark %d", q.mark)
	}
	if q.fromPort != 0 || q.toPort != 0 {
		text += " ipproto tcp"
	}
	if q.fromPort != 0 {
		text += fmt.Sprintf(" sport %d", q.fromPort)
	}
	if q.toPort != 0 {
		text += fmt.Sprintf(" dport %d", q.toPort)
	}
	return text
}

// maxQuestions bounds the questions of each kind for one listener and family: what
// others do to marked packets, they do to all of an interface or a network.
const maxQuestions = 8

// noClient stands for a client where no address tells what network clients have: it
// is for documentation (RFC 5737, RFC 3849).
var noClient = map[bool]netip.Addr{true: netip.MustParseAddr("192.0.2.1"), false: netip.MustParseAddr("2001:db8::1")}

// questions returns the packets of clients of l that must be led to this machine, for
// each of its interfaces and destinations of that family.
func (f family) questions(l policy.Listener, links []link, mark uint32) (all []question) {
	arriving := slices.DeleteFunc(slices.Clone(links), func(k link) bool {
		return k.name == "lo" || len(l.Interfaces) > 0 && !lists(l, k.name) || len(l.Interfaces) == 0 && k.neighbour(f) == netip.Addr{}
	})
	servers := f.servers(l, links)
	if len(arriving) == 0 || len(servers) == 0 {
		return nil
	}
	for i := range min(max(len(arriving), len(servers)), maxQuestions) {
		in := arriving[i%len(arriving)]
		q := question{to: servers[i%len(servers)], from: in.neighbour(f), in: in, mark: mark, toPort: epmPort}
		if !q.from.IsValid() {
			q.from = noClient[f.flag == ipv4.flag]
		}
		all = append(all, q)
	}
	return all
}

// servers returns an address in each of the destinations of l that is not this
// machine's own.
func (f family) servers(l policy.Listener, links []link) (all []netip.Addr) {
	isOwn := func(a netip.Addr) bool {
		return slices.ContainsFunc(links, func(k link) bool { return slices.Contains(k.own, a) })
	}
	for _, network := range f.destinations(l) {
		others := slices.DeleteFunc(samples(network), isOwn)
		if len(others) > 0 {
			all = append(all, others[0])
		}
	}
	return all
}

// neighbour returns an address of that family that may be at the other end of k.
func (k link) neighbour(f family) netip.Addr {
	for _, a := range k.neighbours {
		if f.is(a) {
			return a
		}
	}
	return netip.Addr{}
}

// neighbourOf returns an address of another machine in the network of an interface's
// address; the zero Addr: there is no other.
func neighbourOf(own netip.Prefix) netip.Addr {
	for _, a := range samples(own.Masked()) {
		if a != own.Addr() {
			return a
		}
	}
	return netip.Addr{}
}

// answered returns the question for the answer of the domain controller, which
// arrives on that interface.
func (q question) answered(on link) question {
	return question{to: q.from, from: q.to, in: on, mark: q.mark, fromPort: q.toPort}
}
