package transparent

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/nspiproxy/nspiproxy/policy"
)

// Problem is why connections of clients pass by a listener, or lead nowhere, with
// the rules in force: what the configuration says does not fit this machine.
type Problem struct {
	Listener string // empty: all of them
	Kind     ProblemKind
	Values   []string // what it is true of, in order; at most maxProblemValues
	More     int      // further values
}

// ProblemKind is what is wrong with the values of a Problem.
type ProblemKind int

// The kinds.
const (
	// NoInterface is a name that no interface of this machine has.
	NoInterface ProblemKind = iota
	// OtherName is an alternative name of an interface (ip link property add
	// altname): packets carry the first one.
	OtherName
	// PartOf is a port of a bridge, a bond or the like: packets carry the name of
	// the whole.
	PartOf
	// Below is an interface without an address that carries VLANs or the like:
	// packets carry the names of those.
	Below
	// Beside is a macvlan of an interface where clients arrive, such as the one that
	// keepalived makes for a virtual MAC address.
	Beside
	// BridgeFilter is a bridge whose packets IP rules see while they pass it, where
	// TPROXY does not work.
	BridgeFilter
	// NoRoute is a destination to which no route leads.
	NoRoute
	// OwnAddress is a destination that is this machine itself.
	OwnAddress
	// RoutedBack is a destination that is reached through the interface where clients
	// arrive.
	RoutedBack
	// MarkTaken is a routing rule before ours for packets that carry a bit of others in
	// their mark, besides ours.
	MarkTaken
	// NoForwarding is a setting without which this machine is no router.
	NoForwarding
	// Unknown is that the kernel did not tell.
	Unknown
)

// explanations has the setting that a kind is about, what is wrong, and what to do.
var explanations = map[ProblemKind]struct{ setting, text string }{
	NoInterface: {"interfaces", "no interface of this machine has this name: no connection is taken there. " +
		"Give the name of the one where clients arrive (ip link shows them)"},
	OtherName: {"interfaces", "an alternative name, which packets do not carry: no connection is taken there. Give the first name"},
	PartOf: {"interfaces", "packets that arrive there carry the name of what it is a part of: no connection is taken there. " +
		"Give that name instead"},
	Below: {"interfaces", "packets that arrive there carry the name of what is on top of it: no connection is taken there. " +
		"Give that name instead"},
	Beside: {"interfaces", "packets to the MAC address of this interface carry its name, which is not listed: they pass by the proxy. " +
		"List it too"},
	BridgeFilter: {"", "rules for IP packets are applied to what passes the bridge (module br_netfilter), where TPROXY does not work: " +
		"connections of clients that arrive there fail. Set it to 0"},
	NoRoute: {"destinations", "this machine has no route there: clients whose connections are taken reach nothing. " +
		"Correct the destinations, or add the route (ip route get shows it)"},
	OwnAddress: {"destinations", "an address of this machine itself, and of no domain controller: clients reach nothing there. " +
		"Correct the destinations"},
	RoutedBack: {"destinations", "routed out of the only interface where clients arrive: those in the same network do not pass this machine. " +
		"Give the interfaces towards the clients"},
	MarkTaken: {"", "this routing rule stands before those of the proxy (77 to 79): packets that carry both marks do not come here, " +
		"and their connections hang. Give it a greater number"},
	NoForwarding: {"", "this machine does not forward packets, with which clients reach everything else: set it to 1 (sysctl -w)"},
	Unknown:      {"", "whether connections of clients come here cannot be looked at"},
}

// Setting returns the key of the configuration that the problem is about; empty:
// none.
func (p Problem) Setting() string { return explanations[p.Kind].setting }

// Text says what is wrong and what to do.
func (p Problem) Text() string { return explanations[p.Kind].text }

// Subjects returns the values in one text.
func (p Problem) Subjects() string {
	text := strings.Join(p.Values, ", ")
	if p.More > 0 {
		text += fmt.Sprintf(" and %d more", p.More)
	}
	return text
}

// String is a problem for people to read.
func (p Problem) String() string {
	text := p.Subjects() + ": " + p.Text()
	if s := p.Setting(); s != "" {
		text = s + ": " + text
	}
	if p.Listener != "" {
		text = "listener " + p.Listener + ": " + text
	}
	return text
}

// same reports whether p and q are the same problem with the same values.
func (p Problem) same(q Problem) bool {
	return p.compare(q) == 0 && p.More == q.More && slices.Equal(p.Values, q.Values)
}

// compare orders problems by listener and kind.
func (p Problem) compare(q Problem) int {
	return cmp.Or(strings.Compare(p.Listener, q.Listener), cmp.Compare(p.Kind, q.Kind))
}

// maxProblemValues bounds what one problem lists: a router that loses its default
// route has one with all destinations.
const maxProblemValues = 8

// problems collects them: one for each listener and kind.
type problems []Problem

// add adds a value.
func (ps *problems) add(listener string, kind ProblemKind, value string) {
	i := slices.IndexFunc(*ps, func(p Problem) bool { return p.Listener == listener && p.Kind == kind })
	if i < 0 {
		*ps = append(*ps, Problem{Listener: listener, Kind: kind})
		i = len(*ps) - 1
	}
	switch p := &(*ps)[i]; {
	case slices.Contains(p.Values, value):
	case len(p.Values) < maxProblemValues:
		p.Values = append(p.Values, value)
	default:
		p.More++
	}
}

// lists reports whether one of the interfaces of l stands for that name.
func lists(l policy.Listener, name string) bool {
	return slices.ContainsFunc(l.Interfaces, func(n policy.InterfaceName) bool { return n.Matches(name) })
}
