package transparent

import (
	"fmt"

	"github.com/nspiproxy/nspiproxy/policy"
)

// Bounds of the sets of connections, which clients fill.
const (
	// maxDirect is how many connections that were made directly are known, for each
	// family. Beyond it they are strays. It takes the kernel half a second to list so many,
	// and four times as long for twice as many; each takes 100 bytes.
	maxDirect = 1 << 16
	// maxStray is how many strays of each kind are known at the same time.
	maxStray = 1 << 16
)

// How long the sets keep a connection after its last packet.
const (
	directTimeout   = "1d"  // longer than the two hours after which Windows asks for a sign of life
	openingTimeout  = "30s" // until the client has acknowledged
	leavingTimeout  = "10m" // until the domain controller ends, too
	endingTimeout   = "2m"  // for the rest of the end
	resetTimeout    = "3h"  // as long as directTimeout, but no longer than needed: most resets are an end
	strayTimeout    = "1m"  // an answer is due at once
	answeredTimeout = "10s" // the client acknowledges at once
)

// isData are matches of which data or the end of a stream has one, and a mere
// acknowledgement none. Its headers have 120 bytes at most, and no PSH.
var isData = []string{"tcp flags & (fin | psh) != 0", "meta length > 120"}

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
	r.connectionSet(f, f.reset(), "Those of them that one side has reset. They live on if the reset was forged.", maxDirect, nil)
	r.connectionSet(f, f.ending(), "Those of them that the domain controller has ended.", maxDirect, nil)
	r.connectionSet(f, f.stray(), "Connections that began where these rules were not: what their clients have sent,", maxStray, nil)
	r.connectionSet(f, f.asked(), "have acknowledged,", maxStray, nil)
	r.connectionSet(f, f.answered(), "or are to acknowledge.", maxStray, nil)
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
		if f.is(c.server.Addr()) && r.plan.isDestination(c.server.Addr()) {
			elements = append(elements, c.element())
		}
	}
	r.elements(elements)
	r.close()
}

// forward writes the chains for packets of clients to domain controllers, and the
// answers to them, that pass by the proxy; doc.go says which there are.
func (r *ruleset) forward() {
	if r.plan.Empty() {
		return
	}
	r.open("chain %s", chainForwarded)
	r.line("# Packets that are not the proxy's. Before firewalls, which take answers to strays for invalid.")
	r.line("type filter hook forward priority filter - 10; policy accept;")
	if len(r.plan.of(policy.ModeRedirect)) > 0 {
		r.line("# Keeps connection tracking on when no rule redirects any more: it would miss the end of what was redirected,")
		r.line("# and lead a connection here that was made directly from the same port.")
		r.line("ct state established")
	}
	for _, f := range r.plan.families() {
		networks := list(f.destinations(r.plan.listeners...))
		r.line("%s daddr %s meta l4proto tcp jump %s", f.network, networks, f.passing())
		r.line("%s saddr %s meta l4proto tcp jump %s", f.network, networks, f.answers())
	}
	for _, l := range r.plan.listeners {
		r.line("# Listener %s.", l.Name)
		for _, f := range families {
			r.unknown(f, l)
		}
	}
	r.close()
	if r.missing() {
		r.missed()
	}
	for _, f := range r.plan.families() {
		r.passing(f)
		r.answers(f)
		r.strays(f)
		r.strayAnswers(f)
	}
}

// unknown writes the rules for what belongs to no connection that passes by, to and from
// the intercepted ports. A connection is known from its first packet on.
func (r *ruleset) unknown(f family, l policy.Listener) {
	for _, match := range f.intercepted(l) {
		if r.plan.settings.WhenDown == policy.FailClosed {
			r.line("%s %s reject with tcp reset", match, isSYN)
		} else {
			if l.Mode == policy.ModeRedirect {
				r.line("%s %s jump %s", match, isSYN, chainMissed)
			}
			r.line("%s %s delete @%s { %s } delete @%s { %[4]s } add @%[6]s { %[4]s timeout %[7]s }", match, isSYN, f.ending(), f.tuple(), f.reset(), f.direct(), openingTimeout)
			r.line("%s %s accept", match, isSYN) // also where the set is full
		}
		r.line("%s jump %s", match, f.strays())
	}
	for _, match := range f.answering(l) {
		r.line("%s jump %s", match, f.strayAnswers())
	}
}

// missing reports whether there is a chain of connections that REDIRECT has missed.
func (r *ruleset) missing() bool {
	return r.plan.settings.WhenDown == policy.FailOpen && len(r.plan.of(policy.ModeRedirect)) > 0
}

// missed writes the chain for first packets that connection tracking has taken for a part
// of an earlier connection, or for nonsense: those do not come to the chain of REDIRECT. A
// reset makes it forget that connection in ten seconds. What others have taken out of
// connection tracking passes.
func (r *ruleset) missed() {
	r.open("chain %s", chainMissed)
	r.line("ct state invalid reject with tcp reset")
	r.line("ct state { new, established } ct status & dnat == 0 reject with tcp reset")
	r.close()
}

// passing writes the chain of what clients send on connections that pass by. The domain
// controller keeps a connection that its client alone has ended, and one whose reset is
// not exact (RFC 5961 3.2).
func (r *ruleset) passing(f family) {
	tuple := f.tuple()
	r.open("chain %s", f.passing())
	r.line("%s %s @%s accept", isSYN, tuple, f.direct()) // late, or forged
	r.line("%s return", isSYN)
	r.ends(f, tuple)
	r.line("tcp flags & fin == fin %s @%s update @%[2]s { %[1]s timeout %[3]s } accept", tuple, f.direct(), leavingTimeout)
	r.line("%s @%s update @%[2]s { %[1]s timeout %[3]s } accept", tuple, f.direct(), directTimeout)
	r.line("%s @%s accept", tuple, f.reset())
	r.close()
}

// answers writes the chain of what domain controllers send on connections that pass by.
// One that says more after a reset still has the connection, or had not heard of it.
func (r *ruleset) answers(f family) {
	tuple := f.answerTuple()
	r.open("chain %s", f.answers())
	r.ends(f, tuple)
	for _, from := range []string{f.direct(), f.reset()} {
		r.line("tcp flags & fin == fin %s @%s update @%s { %[1]s timeout %[4]s } delete @%[2]s { %[1]s } accept", tuple, from, f.ending(), endingTimeout)
	}
	r.line("%s @%s accept", tuple, f.direct())
	r.line("%s @%s update @%s { %[1]s timeout %[4]s } delete @%[2]s { %[1]s } accept", tuple, f.reset(), f.direct(), openingTimeout)
	r.close()
}

// ends writes the rules for what either side sends at the end of a connection that passes
// by. Other resets pass by, too.
func (r *ruleset) ends(f family, tuple string) {
	r.line("%s @%s update @%[2]s { %[1]s timeout %[3]s } accept", tuple, f.ending(), endingTimeout)
	r.line("tcp flags & rst == rst %s @%s update @%s { %[1]s timeout %[4]s } delete @%[2]s { %[1]s } accept", tuple, f.direct(), f.reset(), resetTimeout)
	r.line("tcp flags & rst == rst accept")
}

// strays writes the chain of what clients send on connections that may not pass by. Data
// goes on to the domain controller, which is reset when it answers, and resets the client
// when that repeats it. A client that acknowledges what the domain controller has sent is
// reset: the domain controller repeats it, and the client resets that. Other
// acknowledgements go on, as data does.
func (r *ruleset) strays(f family) {
	r.open("chain %s", f.strays())
	for _, data := range isData {
		r.line("%s add @%s { %s timeout %s } accept", data, f.stray(), f.tuple(), strayTimeout)
	}
	r.line("%s @%s reject with tcp reset", f.tuple(), f.answered())
	r.line("add @%s { %s timeout %s }", f.asked(), f.tuple(), strayTimeout)
	r.close()
}

// strayAnswers writes the chain of what domain controllers send on such connections. A
// reset has the number that the other side waits for (RFC 9293 3.5.2), also where that
// has another connection with the same addresses and ports.
func (r *ruleset) strayAnswers(f family) {
	r.open("chain %s", f.strayAnswers())
	r.line("%s @%s reject with tcp reset", f.answerTuple(), f.stray())
	for _, data := range isData {
		r.line("%s add @%s { %s timeout %s } accept", data, f.answered(), f.answerTuple(), answeredTimeout)
	}
	r.line("%s @%s reject with tcp reset", f.answerTuple(), f.asked())
	r.close()
}
