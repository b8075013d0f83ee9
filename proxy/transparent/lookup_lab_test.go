//go:build lab

package transparent

import (
	"errors"
	"strings"
	"testing"
)

// ahead are routing rules of others that stand before ours, and what they do to marked
// packets of clients of the network.
var ahead = []struct {
	rule string // behind "ip rule add pref 50", for IPv4 and IPv6: "A" is a client's network, "B" the domain controllers'
	gone bool
	said string
}{
	{rule: "lookup main", gone: true, said: `the routing rule "50: from all lookup 254" stands before ours (78)`},
	{rule: "iif r1 lookup main", gone: true, said: `"50: from all iif r1 lookup 254"`},
	{rule: "from A lookup main", gone: true},
	{rule: "to B lookup main", gone: true},
	{rule: "from B lookup main", gone: true}, // their answers
	{rule: "fwmark 0x4000/0x4000 lookup main", gone: true, said: "fwmark 0x4000/0x4000"},
	{rule: "ipproto tcp dport 135 lookup main", gone: true, said: "ipproto tcp dport 135 lookup"},
	{rule: "ipproto tcp sport 135 lookup main", gone: true, said: "ipproto tcp sport 135 lookup"},
	{rule: "iif r1 unreachable", gone: true, said: `gives no route: the routing rule "50: from all iif r1 unreachable"`},
	{rule: "to B blackhole", gone: true},
	{rule: "to B prohibit", gone: true},
	{rule: "goto 32766", gone: true, said: "goto 32766"},
	{rule: "not iif r9 lookup main", gone: true, said: "not from all iif r9"},
	{rule: "iif r9 lookup main"},
	{rule: "fwmark 0x8000/0x8000 lookup main"},
	{rule: "lookup 4711"}, // an empty table
	{rule: "ipproto udp lookup main"},
	{rule: "goto 78"},
}

func TestRulesThatTakeMarkedPacketsAwayAreFoundAndNamed(t *testing.T) {
	newNetwork(t)
	p := tproxy(t, "open")
	apply(t, p, "")
	if err := p.checkRouting(); err != nil {
		t.Fatal(err)
	}
	for _, filter := range []string{"0", "1"} { // the sender must not matter
		sh(t, "sysctl -qw net.ipv4.conf.all.rp_filter="+filter)
		for _, c := range ahead {
			for flag, networks := range map[string][]string{"-4": {"A", "10.76.0.0/16", "B", "10.77.2.0/24"}, "-6": {"A", "fd76::/64", "B", "fd77:2::/64"}} {
				rule := "ip " + flag + " rule add pref 50 " + strings.NewReplacer(networks...).Replace(c.rule)
				sh(t, rule)
				err := p.checkRouting()
				if errors.Is(err, errLedAway) != c.gone || c.gone && !strings.Contains(err.Error(), c.said) || !c.gone && err != nil {
					t.Errorf("%s, rp_filter %s: %v", rule, filter, err)
				}
				sh(t, "ip "+flag+" rule del pref 50")
			}
		}
	}
	sh(t, "sysctl -qw net.ipv4.conf.all.rp_filter=0")
}

// TestRuleThatTakesMarkedPacketsAwayIsReported while the program runs, and once.
func TestRuleThatTakesMarkedPacketsAwayIsReported(t *testing.T) {
	newNetwork(t)
	p := tproxy(t, "open")
	apply(t, p, "")
	r := startLabWatcher(t, p, true)
	_ = r.take()
	sh(t, "ip rule add pref 50 iif r1 lookup main")
	if got := <-r.reports; got.Reason != ReasonRouting || !strings.Contains(got.Err.Error(), "50: from all iif r1 lookup 254") || r.InForce() {
		t.Errorf("reported %v", got)
	}
	sh(t, "ip rule del pref 50")
	if got := <-r.reports; got.Err != nil || got.Repaired {
		t.Errorf("reported %v", got)
	}
	sh(t, "ip rule add pref 50 fwmark 0x10000/0x10000 lookup main")
	defer sh(t, "ip rule del pref 50")
	if got := p.Problems(); len(got) != 1 || got[0].Kind != MarkTaken || got[0].Subjects() != "50: from all fwmark 0x10000/0x10000 lookup 254" {
		t.Errorf("said is %v", got)
	}
}
