//go:build lab

package transparent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// foreign is what others may have on a router, as near to ours as can be.
const foreign = `
nft -f - <<'N'
table inet filter {
	chain raw {
		type filter hook prerouting priority raw; policy accept;
		tcp dport 135 counter
	}
	chain mangle {
		type filter hook prerouting priority mangle; policy accept;
		meta mark 20051 counter
	}
	chain forward {
		type filter hook forward priority filter; policy accept;
		tcp dport 22 accept
	}
}
table ip nspiproxy {
	set learnt4 {
		type ipv4_addr . inet_service
		elements = { 10.0.5.11 . 1 }
	}
}
N
for f in -4 -6; do
	ip $f rule add pref 78 fwmark 20051 lookup 20051
	ip $f rule add pref 100 fwmark 20051 lookup 20051 protocol 99
	ip $f route add local default dev lo table 20052 proto 99
	ip $f route add unreachable default table 20053 metric 7
done`

// unforeign removes that.
const unforeign = `
nft delete table inet filter; nft delete table ip nspiproxy
for f in -4 -6; do
	ip $f rule del pref 78 fwmark 20051 lookup 20051
	ip $f rule del pref 100
	ip $f route flush table 20052
	ip $f route flush table 20053
done`

// sample is a plan with everything in it.
func sample(t testing.TB) *Plan {
	t.Helper()
	return plan(t, listenersOf("mixed")+`
  - {name: d, mode: tproxy, port: 5138, destinations: ["fd00:6::/64"]}`, "when_down: closed")
}

func TestEveryGoldenScriptCanBeRunTwiceAndUndone(t *testing.T) {
	for _, c := range configurations {
		t.Run(c.name, func(t *testing.T) {
			clean(t)
			script := plan(t, c.listeners, c.settings).Script(ports(c.learnt), c.name)
			before := everything(t)
			sh(t, script)
			once := everything(t)
			sh(t, script)
			if twice := everything(t); twice != once {
				t.Errorf("once\n%s\ntwice\n%s", once, twice)
			}
			if c.name != "forward" && !strings.Contains(once, "table inet nspiproxy") {
				t.Errorf("nothing happened:\n%s", once)
			}
			var undo []string
			for _, line := range strings.Split(script, "\n") {
				if command, ok := strings.CutPrefix(line, "#   "); ok && (strings.HasPrefix(command, "nft ") || strings.HasPrefix(command, "ip ")) {
					undo = append(undo, command)
				}
			}
			sh(t, strings.Join(undo, "\n"))
			if after := everything(t); after != before {
				t.Errorf("before\n%s\nafter\n%s", before, after)
			}
		})
	}
}

func TestApplyDoesWhatTheScriptDoes(t *testing.T) {
	for _, c := range configurations {
		t.Run(c.name, func(t *testing.T) {
			clean(t)
			p := plan(t, c.listeners, c.settings)
			sh(t, p.Script(ports(c.learnt), c.name))
			want := everything(t)
			if err := Remove(); err != nil {
				t.Fatal(err)
			}
			apply(t, p, c.learnt)
			if got := everything(t); got != want {
				t.Errorf("script\n%s\napplied\n%s", want, got)
			}
		})
	}
}

func TestRemoveLeavesWhatStoodThereBefore(t *testing.T) {
	for _, between := range []struct{ name, script string }{
		{"nothing", ":"},
		{"table flushed", "nft flush table inet nspiproxy"},
		{"table deleted", "nft delete table inet nspiproxy"},
		{"routing deleted", "ip -4 rule del pref 78 protocol 78; ip -6 route flush table 20051"},
	} {
		t.Run(between.name, func(t *testing.T) {
			clean(t)
			sh(t, foreign)
			defer sh(t, unforeign)
			before := everything(t)
			apply(t, sample(t), "10.0.5.11:49677")
			once := everything(t)
			apply(t, sample(t), "10.0.5.11:49677")
			if twice := everything(t); twice != once {
				t.Errorf("applied once\n%s\ntwice\n%s", once, twice)
			}
			sh(t, between.script)
			for range 2 {
				if err := Remove(); err != nil {
					t.Error(err)
				}
				if after := everything(t); after != before {
					t.Errorf("before\n%s\nafter\n%s", before, after)
				}
			}
			apply(t, sample(t), "10.0.5.11:49677")
			if again := everything(t); again != once {
				t.Errorf("once\n%s\nagain\n%s", once, again)
			}
			if err := Remove(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAnotherConfigurationReplacesEverything(t *testing.T) {
	clean(t)
	b := plan(t, listenersOf("tproxy-closed-both"), "mark: 7\n  route_table: 99")
	apply(t, b, "10.0.5.11:1")
	want := everything(t)
	if err := Remove(); err != nil {
		t.Fatal(err)
	}
	apply(t, sample(t), "10.0.5.12:2")
	apply(t, b, "10.0.5.11:1")
	if got := everything(t); got != want {
		t.Errorf("after another one\n%s\nwant\n%s", got, want)
	}
	apply(t, plan(t, listenersOf("redirect"), ""), "")
	if got := everything(t); strings.Contains(got, "proto 78") || strings.Contains(got, "tproxy") {
		t.Errorf("left of TPROXY:\n%s", got)
	}
}

// fake puts a program before the real one in PATH: a shell script that may go on
// with "real".
func fake(t *testing.T, name, script string) {
	t.Helper()
	real, err := program(name)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	text := "#!/bin/sh\nreal() { " + real + " \"$@\"; }\n" + script + "\n"
	if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", folder+":"+os.Getenv("PATH"))
}

func TestApplyThatFailsInTheMiddleChangesNothing(t *testing.T) {
	for _, f := range []struct{ name, program, script, complaint string }{
		{"nft refuses", "nft", `echo "Error: syntax error, unexpected fake" >&2; exit 1`, "nft -f -: Error: syntax error, unexpected fake"},
		{"nft says nothing", "nft", `exit 3`, "nft -f -: exit status 3"},
		{"IPv6 routes fail", "ip", `case "$*" in *"table 20051 proto"*) echo "RTNETLINK answers: No such device" >&2; exit 2;; esac; real "$@"`,
			"No such device"},
		{"ip prints no JSON", "ip", `case "$*" in *-6*) echo nonsense;; *) real "$@";; esac`, "ip -N -j -6 rule show: invalid character"},
	} {
		t.Run(f.name, func(t *testing.T) {
			clean(t)
			path := os.Getenv("PATH")
			check := func(before string) {
				t.Helper()
				fake(t, f.program, f.script)
				defer t.Setenv("PATH", path)
				if err := sample(t).Apply(nil); err == nil || !strings.Contains(err.Error(), f.complaint) {
					t.Errorf("error %v, want %q", err, f.complaint)
				}
				t.Setenv("PATH", path)
				if after := everything(t); after != before {
					t.Errorf("before\n%s\nafter\n%s", before, after)
				}
			}
			check(everything(t))
			// The rules of an earlier configuration stay in force.
			apply(t, plan(t, listenersOf("tproxy-both"), "mark: 7\n  route_table: 99"), "10.0.5.11:1")
			check(everything(t))
		})
	}
}

func TestRouteTableOfOthersIsAnError(t *testing.T) {
	clean(t)
	sh(t, "ip -4 route add unreachable default table 20051")
	defer sh(t, "ip -4 route flush table 20051")
	before := everything(t)
	err := sample(t).Apply(nil)
	if err == nil || !strings.Contains(err.Error(), "routing table 20051 has a route of somebody else, to default:") {
		t.Errorf("error %v", err)
	}
	if after := everything(t); after != before {
		t.Errorf("before\n%s\nafter\n%s", before, after)
	}
}

func TestOnStopDoesWhatTheRulesInForceSay(t *testing.T) {
	clean(t)
	if opened, err := OnStop(); opened || err != nil {
		t.Errorf("without rules: opened %v, error %v", opened, err)
	}
	for _, c := range configurations {
		if c.name == "forward" {
			continue
		}
		apply(t, plan(t, c.listeners, "when_down: closed"), "10.0.5.11:1")
		closed := everything(t)
		if opened, err := OnStop(); opened || err != nil || everything(t) != closed {
			t.Errorf("%s closed: opened %v, error %v", c.name, opened, err)
		}
		apply(t, plan(t, c.listeners, "when_down: open"), "10.0.5.11:1")
		for range 2 {
			if opened, err := OnStop(); !opened || err != nil {
				t.Errorf("%s open: opened %v, error %v", c.name, opened, err)
			}
			for _, statement := range []string{"tproxy", "redirect to"} {
				if left := everything(t); strings.Contains(left, statement) {
					t.Errorf("%s open: %s is left in\n%s", c.name, statement, left)
				}
			}
		}
		apply(t, plan(t, c.listeners, "when_down: closed"), "10.0.5.11:1")
		if again := everything(t); again != closed {
			t.Errorf("%s: applied again\n%s\nwant\n%s", c.name, again, closed)
		}
	}
}

// A configuration that has no transparent listener any more needs none of the rules of the one before.
func TestRulesOfAnEarlierConfigurationAreRemoved(t *testing.T) {
	clean(t)
	before := everything(t)
	if removed, err := RemoveLeft(); removed || err != nil {
		t.Errorf("without rules: removed %v, error %v", removed, err)
	}
	apply(t, sample(t), "10.0.5.11:1")
	if removed, err := RemoveLeft(); !removed || err != nil {
		t.Errorf("removed %v, error %v", removed, err)
	}
	if after := everything(t); after != before {
		t.Errorf("before\n%s\nafter\n%s", before, after)
	}
}

// The pages' configurations have IPv6 networks, and many machines have no IPv6.
func TestIPv6NetworksAreLeftOutWithoutIPv6(t *testing.T) {
	clean(t)
	if err := os.WriteFile("/proc/sys/net/ipv6/conf/all/disable_ipv6", []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.WriteFile("/proc/sys/net/ipv6/conf/all/disable_ipv6", []byte("0"), 0) }()
	for _, c := range configurations {
		p := plan(t, c.listeners, "when_down: closed")
		if err := p.Possible().Apply(nil); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if len(p.families()) == 2 && len(p.Check()) == 0 {
			t.Errorf("%s: nothing is said", c.name)
		}
		if err := p.Possible().checkRouting(); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if err := Remove(); err != nil {
		t.Error(err)
	}
}

// TestFeaturesAreThoseOfTheKernel: each is tried in a rule set of its own.
func TestFeaturesAreThoseOfTheKernel(t *testing.T) {
	clean(t)
	for _, f := range features {
		if _, err := run(f.ruleset(), "nft", "--check", "-f", "-"); err != nil {
			t.Errorf("%s: %v\n%s", f.module, err, f.ruleset())
		}
	}
}
