package transparent

import (
	"fmt"

	"github.com/nspiproxy/nspiproxy/policy"
)

// Bounds of the sets of connections that pass by, which clients fill.
const (
	// maxDirect is how many connections that were made directly are known, for each
	// family. Beyond it they are strays. The kernel takes 100 bytes for each.
	maxDirect = 1 << 18
	// maxStray is how many strays are known at the same time, for each family.
	maxStray = 1 << 16
)

// How long the sets keep a connection after its last packet.
const (
	directTimeout  = "1d"  // longer than the two hours after which Windows asks for a sign of life
	openingTimeout = "30s" // until the client has acknowledged
	endingTimeout  = "2m"  // for the rest of the end
	strayTimeout   = "1m"  // an answer is due at once
)

// tuple is a connection in the sets, in packets of the client and in those of the
// domain controller.
func (f family) tuple() string {
	return fmt.Sprintf("%[1]s saddr . tcp sport . %[1]s daddr . tcp dport", f.network)
}

func (f family) answerTuple() string {
	return fmt.Sprintf("%[1]s daddr . tcp dport . %[1]s saddr . tcp sport", f.network)
}

// connectionSets writes the sets of connections that pass by, and those that do.
func (r *ruleset) connectionSets(f family, direct []directConnection) {
	r.connectionSet(f, f.direct(), "Connections that were made while the proxy did not run.", maxDirect, direct)
	r.connectionSet(f, f.ending(), "Those of them that have begun to end.", maxDirect, nil)
	r.connectionSet(f, f.stray(), "Connections that began where these rules were not: they are reset.", maxStray, nil)
}

func (r *ruleset) connectionSet(f family, name, note string, size int, has []directConnection) {
	r.open("set %s", name)
	if f.flag == ipv4.flag {
		r.line("# %s", note)
	}
	r.line("type %[1]s . inet_service . %[1]s . inet_service", f.keyType)
	r.line("flags dynamic, timeout")
	r.line("timeout %s", directTimeout)
	r.line("size %d", size)
	var elements []string
	for _, c := range has {
		if f.is(c.server.Addr()) {
			elements = append(elements, c.element())
		}
	}
	r.elements(elements)
	r.close()
}

// forward writes the chains for packets of clients to intercepted ports, and the
// answers to them, that pass by the proxy; doc.go says which there are.
func (r *ruleset) forward() {
	if r.plan.Empty() {
		return
	}
	r.open("chain %s", chainForwarded)
	r.line("# Packets that are not the proxy's. Before firewalls, which take answers to strays for invalid.")
	r.line("type filter hook forward priority filter - 10; policy accept;")
	for _, l := range r.plan.listeners {
		r.line("# Listener %s.", l.Name)
		for _, f := range families {
			for _, match := range f.intercepted(l) {
				r.line("%s jump %s", match, f.passing())
			}
			for _, match := range f.answering(l) {
				r.line("%s jump %s", match, f.answers())
			}
		}
	}
	r.close()
	for _, f := range r.plan.families() {
		r.passing(f)
		r.answers(f)
	}
}

// passing writes the chain of what clients send. A connection is known from its first
// packet on.
func (r *ruleset) passing(f family) {
	r.open("chain %s", f.passing())
	if r.plan.settings.WhenDown == policy.FailClosed {
		r.line("%s reject with tcp reset", isSYN)
	} else {
		r.line("%s delete @%s { %s } update @%s { %[3]s timeout %[5]s }", isSYN, f.ending(), f.tuple(), f.direct(), openingTimeout)
		r.line("%s return", isSYN) // also where the set is full
	}
	r.ends(f, f.tuple())
	r.line("%s @%s update @%[2]s { %[1]s timeout %[3]s } return", f.tuple(), f.direct(), directTimeout)
	r.line("# It goes on to the domain controller, which is reset when it answers, and then resets the client.")
	r.line("add @%s { %s timeout %s }", f.stray(), f.tuple(), strayTimeout)
	r.close()
}

// answers writes the chain of what domain controllers answer. A reset acknowledges
// what it answers, so that it is exact (RFC 9293 3.5.2), also where the domain controller
// has another connection with the same addresses and ports than the client.
func (r *ruleset) answers(f family) {
	r.open("chain %s", f.answers())
	r.ends(f, f.answerTuple())
	r.line("%s @%s return", f.answerTuple(), f.direct())
	r.line("%s @%s reject with tcp reset", f.answerTuple(), f.stray())
	r.close()
}

// ends writes the rules for the end of a connection that was made directly. It goes on
// to pass by for a while: there is more to say, and who sends a reset is not sure.
// Other resets pass by, too.
func (r *ruleset) ends(f family, tuple string) {
	r.line("%s @%s update @%[2]s { %[1]s timeout %[3]s } return", tuple, f.ending(), endingTimeout)
	r.line("tcp flags & (fin | rst) != 0 %s @%s update @%s { %[1]s timeout %[4]s } delete @%[2]s { %[1]s } return", tuple, f.direct(), f.ending(), endingTimeout)
	r.line("tcp flags & rst == rst return")
}
