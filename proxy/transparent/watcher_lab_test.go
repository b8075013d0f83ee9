//go:build lab

package transparent

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// readKernel reads the table that is in force.
func readKernel(t testing.TB) *table {
	t.Helper()
	has, err := newKernel(nil, false).readTable()
	if err != nil {
		t.Fatal(err)
	}
	return has
}

func TestTableInForceIsWhatThePlanNeeds(t *testing.T) {
	for _, c := range configurations {
		p := plan(t, c.listeners, c.settings)
		if p.Empty() {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			clean(t)
			apply(t, p, c.learnt)
			wanted, has := p.table(), readKernel(t)
			if d := wanted.difference(has); d != nil {
				t.Fatal(d.Err)
			}
			apply(t, p, "10.0.5.99:1 [fd00:5::99]:1") // other ports are not other rules
			if d := has.difference(readKernel(t)); d != nil {
				t.Errorf("applied again: %v", d.Err)
			}
			sh(t, p.Script(nil, "c"))
			if d := has.difference(readKernel(t)); d != nil {
				t.Errorf("by the script: %v", d.Err)
			}
		})
	}
}

// kernelDamages are what administrators and programs do, on a plan like sample.
var kernelDamages = []struct {
	script string
	reason Reason
}{
	{"nft flush ruleset", ReasonTable},
	{"nft delete table inet nspiproxy", ReasonTable},
	{"nft flush table inet nspiproxy", ReasonRules},
	{"nft flush chain inet nspiproxy intercepted", ReasonRules},
	{"nft flush chain inet nspiproxy client_sockets", ReasonRules},
	{"nft delete chain inet nspiproxy redirected", ReasonRules},
	{"nft delete rule inet nspiproxy intercepted handle $(nft -a list chain inet nspiproxy intercepted | sed -n 's/.* handle //p' | sed -n 2p)", ReasonRules},
	{"nft insert rule inet nspiproxy from_clients accept", ReasonRules},
	{"nft replace rule inet nspiproxy client_sockets handle $(nft -a list chain inet nspiproxy client_sockets | sed -n 's/.*return # handle //p') counter", ReasonRules},
	{"nft add chain inet nspiproxy other", ReasonRules},
	{"nft add table inet nspiproxy '{ flags dormant; }'", ReasonRules},
	{"nft add chain inet nspiproxy forwarded '{ policy drop; }'", ReasonRules},
	{"ip -4 rule flush protocol 78", ReasonRouting},
	{"ip -6 rule del pref 78 protocol 78", ReasonRouting},
	{"ip -4 route flush table 20051", ReasonRouting},
	{"ip -6 route del local default dev lo table 20051", ReasonRouting},
	{"ip -4 rule del pref 78 protocol 78; ip -4 rule add pref 78 fwmark 20051/20051 lookup 300 protocol 78", ReasonRouting},
}

func TestDamageInTheKernelIsRepairedAtOnce(t *testing.T) {
	for _, d := range kernelDamages {
		t.Run(d.script, func(t *testing.T) {
			clean(t)
			p := sample(t)
			apply(t, p, "")
			want := everything(t)
			r := startLabWatcher(t, p, true)
			if !r.InForce() || len(r.reports) != 0 {
				t.Fatalf("at the start: in force %v, reported %v", r.InForce(), r.take())
			}
			sh(t, d.script)
			begin := time.Now()
			report := <-r.reports
			if report.Reason != d.reason {
				t.Errorf("reported %q: %v", report.Reason, report.Err)
			}
			if nft := strings.HasPrefix(d.script, "nft"); nft != strings.HasPrefix(report.By, "nft (process ") {
				t.Errorf("changed by %q", report.By)
			}
			if report := <-r.reports; !report.Repaired || report.Err != nil {
				t.Errorf("then reported %v", report)
			}
			t.Logf("%q is repaired after %v", report.Err, time.Since(begin).Round(time.Millisecond))
			if got := everything(t); got != want || !r.InForce() {
				t.Errorf("in force %v, was\n%s\nis\n%s", r.InForce(), want, got)
			}
		})
	}
}

func TestRulesOfAnotherConfigurationAreReplacedAtTheStart(t *testing.T) {
	clean(t)
	p := plan(t, listenersOf("tproxy-both"), "")
	apply(t, p, "")
	want := everything(t)
	for _, before := range []struct{ name, settings, change, to string }{
		{name: "another port", change: "port: 5135", to: "port: 5139"},
		{name: "narrower destinations", change: "10.0.5.0/24, ", to: ""},
		{name: "another mark", settings: "mark: 7\n  route_table: 99"},
		{name: "another way to fail", settings: "when_down: closed"},
	} {
		listeners := strings.ReplaceAll(listenersOf("tproxy-both"), before.change, before.to)
		if before.change == "" {
			listeners = listenersOf("tproxy-both")
		}
		apply(t, plan(t, listeners, before.settings), "")
		r := startLabWatcher(t, p, true)
		if report := <-r.reports; report.Reason != ReasonConfiguration {
			t.Errorf("%s: reported %v", before.name, report)
		}
		if got := everything(t); got != want || !r.InForce() {
			t.Errorf("%s: was\n%s\nis\n%s", before.name, want, got)
		}
	}
}

// counted is a kernel that counts how often the rules are read.
type counted struct {
	kernel
	tables atomic.Int32
}

func (c *counted) readTable() (*table, error) {
	c.tables.Add(1)
	return c.kernel.readTable()
}

// A router learns routes, and a firewall keeps its sets, thousands of times a second.
func TestChangesOfOthersCostLittle(t *testing.T) {
	clean(t)
	p := sample(t)
	apply(t, p, "")
	sh(t, "nft add table ip others; nft add set ip others s '{ type ipv4_addr; }'; ip link add others type veth peer name others2; ip link set others up; ip link set others2 up")
	defer sh(t, "nft delete table ip others; ip link del others")
	r := startLabWatcher(t, p, true)
	kernel := &counted{kernel: r.comparison.kernel}
	r.comparison.kernel = kernel // it is quiet now
	var routes, elements strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&routes, "route add 10.%d.%d.0/24 dev others table 300\n", 100+i/250, i%250)
	}
	for i := range 300 {
		fmt.Fprintf(&elements, "nft add element ip others s { 10.9.%d.%d }\n", i/250, i%250)
	}
	file := t.TempDir() + "/routes"
	if err := os.WriteFile(file, []byte(routes.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	sh(t, "ip -batch "+file)
	t.Logf("20000 routes in another table in %v: the rules were read %d times", time.Since(begin), kernel.tables.Load())
	if n := kernel.tables.Load(); n != 0 {
		t.Errorf("the rules were read %d times", n)
	}
	begin = time.Now()
	sh(t, elements.String())
	took, n := time.Since(begin), kernel.tables.Load()
	t.Logf("300 transactions of others in %v: the rules were read %d times", took, n)
	if most := maxReads * (2 + took/changePause + took/checkInterval); time.Duration(n) > most {
		t.Errorf("the rules were read %d times, want %d at most", n, most)
	}
	if !r.InForce() || len(r.reports) != 0 {
		t.Errorf("in force %v, reported %v", r.InForce(), r.take())
	}
}

func BenchmarkComparison(b *testing.B) {
	p := plan(b, listenersOf("tproxy-both"), "")
	if err := p.Apply(nil); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = Remove() })
	for _, bb := range []struct {
		name    string
		changed bool
	}{{"unchanged", false}, {"changed", true}} {
		b.Run(bb.name, func(b *testing.B) {
			c := newComparison(newKernel(p, false), p.table())
			for b.Loop() {
				if bb.changed {
					c.known = false
				}
				if differs, _ := c.compare(); len(differs) > 0 {
					b.Fatal(differs)
				}
			}
		})
	}
}

// TestScriptWhileTheProgramRuns: it takes routing away and adds it again, which must not meet a repair.
func TestScriptWhileTheProgramRuns(t *testing.T) {
	clean(t)
	p := sample(t)
	apply(t, p, "")
	want := everything(t)
	r := startLabWatcher(t, p, true)
	for range 5 {
		sh(t, p.Script(nil, "c"))
		if got := everything(t); got != want {
			t.Errorf("was\n%s\nis\n%s", want, got)
		}
	}
	if got := r.take(); len(got) != 0 {
		t.Errorf("reported %v", got)
	}
}

func TestRouteOfOthersInItsTableIsReported(t *testing.T) {
	clean(t)
	p := sample(t)
	apply(t, p, "")
	r := startLabWatcher(t, p, true)
	sh(t, "ip -4 route add unreachable 10.0.0.0/8 table 20051")
	if got := <-r.reports; got.Reason != ReasonRouting || !errors.Is(p.checkRouting(), errForeignRoute) {
		t.Errorf("reported %v", got)
	}
	sh(t, "ip -4 route del unreachable 10.0.0.0/8 table 20051")
	if got := <-r.reports; got.Err != nil || got.Repaired {
		t.Errorf("reported %v", got)
	}
}

func TestIPv6ThatComesAndGoesIsNoticed(t *testing.T) {
	set := func(value string) {
		if err := os.WriteFile("/proc/sys/net/ipv6/conf/all/disable_ipv6", []byte(value), 0); err != nil {
			t.Fatal(err)
		}
	}
	clean(t)
	defer set("0")
	t.Run("off and on again", func(t *testing.T) {
		r := startLabWatcher(t, sample(t), true)
		_ = r.take()
		set("1")
		time.Sleep(checkInterval + settleTime) // nothing comes by it, and nothing is missed
		set("0")
		if lost, back := <-r.reports, <-r.reports; lost.Reason != ReasonRouting || !back.Repaired {
			t.Errorf("reported %v and %v", lost, back)
		}
	})
	t.Run("on", func(t *testing.T) {
		set("1")
		r := startLabWatcher(t, sample(t), true)
		if !r.InForce() {
			t.Errorf("without IPv6: reported %v", r.take())
		}
		_ = r.take()
		set("0")
		if got := <-r.reports; got.Reason != ReasonFamily {
			t.Errorf("reported %v", got)
		}
	})
}
