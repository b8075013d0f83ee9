package transparent

import (
	"errors"
	"strings"
	"time"
)

// Reason says in which respect connections of clients do not come here as planned.
type Reason string

// The reasons.
const (
	ReasonTable         Reason = "table"         // there is no table of ours
	ReasonConfiguration Reason = "configuration" // it was made for another configuration
	ReasonRules         Reason = "rules"         // chains, rules or sets are not as they were made
	ReasonRouting       Reason = "routing"       // marked packets do not come to this machine
	ReasonFamily        Reason = "family"        // this machine has IPv6 now
	ReasonPorts         Reason = "ports"         // learnt ports were taken out of the sets, or cannot be put there
	ReasonUnknown       Reason = "unknown"       // the kernel does not say what is in force
	ReasonRepair        Reason = "repair"        // the rules could not be put in force again
	ReasonContested     Reason = "contested"     // they are changed again after each repair
)

// Difference is one way in which what is in force is not what a plan needs.
type Difference struct {
	Reason Reason
	Err    error
}

// reparable reports whether putting rules and routing in force again is of use.
func (d Difference) reparable() bool {
	switch d.Reason {
	case ReasonTable, ReasonConfiguration, ReasonRules:
		return true
	case ReasonRouting:
		return !errors.Is(d.Err, errForeignRoute) && !errors.Is(d.Err, errLedAway)
	}
	return false
}

// Report is a change of what a [Watcher] has found.
type Report struct {
	Reason Reason // of the first difference; empty: there is none any more
	Err    error  // all differences; nil: none
	// By names the program that made the last change to nftables, where the kernel
	// tells. A change of routing has no author.
	By       string
	Repaired bool          // there is no difference any more because it was repaired
	After    time.Duration // how long there was one
}

// news reports each change of what is found once.
type news struct {
	report func(Report)
	now    func() time.Time

	told     string    // the differences that were reported last
	since    time.Time // since when there are any
	repaired bool      // a repair has succeeded since then
}

// tell reports what differs now, if it is not what was reported last.
func (n *news) tell(differs []Difference, by string) {
	var texts []string
	for _, d := range differs {
		texts = append(texts, d.Err.Error())
	}
	text := strings.Join(texts, "; ")
	if text == n.told {
		return
	}
	if n.told == "" {
		n.since = n.now()
	}
	n.told = text
	if text == "" {
		n.report(Report{Repaired: n.repaired, After: n.now().Sub(n.since)})
		n.repaired = false
		return
	}
	n.report(Report{Reason: differs[0].Reason, Err: errors.New(text), By: by})
}
