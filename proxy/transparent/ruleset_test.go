package transparent

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/nspiproxy/nspiproxy/policy"
)

func TestRulesetDoesNotDependOnTheOrderOfItsParts(t *testing.T) {
	a := plan(t, `{name: path, mode: tproxy, port: 5135, destinations: [10.0.5.0/24, "fd00:5::/64", 10.9.9.9], interfaces: [eth1, eth2], nspi_ports: [6004, 1024]}`, "")
	b := plan(t, `{name: path, mode: tproxy, port: 5135, destinations: [10.9.9.9/32, "fd00:5::/64", 10.0.5.0/24], interfaces: [eth2, eth1], nspi_ports: [1024, 6004]}`, "")
	learnt := ports("10.0.5.12:2 [fd00:5::1]:9 10.0.5.11:3 10.0.5.11:1")
	reversed := append(slices.Clone(learnt), learnt[0]) // one of them twice
	slices.Reverse(reversed)
	if x, y := a.Script(learnt, "c"), b.Script(reversed, "c"); x != y {
		t.Errorf("%s\nand\n%s", x, y)
	}
}

func TestDestinationsAreOrderedAndContainNoneTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var l policy.Listener
		for range rapid.IntRange(0, 8).Draw(t, "networks") {
			addr := netip.AddrFrom4([4]byte{10, rapid.ByteMax(3).Draw(t, "second"), rapid.ByteMax(3).Draw(t, "third"), 0})
			p, err := addr.Prefix(rapid.IntRange(14, 26).Draw(t, "bits"))
			if err != nil {
				t.Fatal(err)
			}
			l.Destinations = append(l.Destinations, p)
		}
		kept := ipv4.destinations(l)
		for i, p := range kept {
			if i > 0 && (kept[i-1].Compare(p) >= 0 || kept[i-1].Overlaps(p)) {
				t.Fatalf("%v and then %v", kept[i-1], p)
			}
		}
		for _, d := range l.Destinations {
			if !slices.ContainsFunc(kept, func(p netip.Prefix) bool { return p.Bits() <= d.Bits() && p.Overlaps(d) }) {
				t.Fatalf("%v is lost: %v", d, kept)
			}
		}
		if len(ipv6.destinations(l)) != 0 {
			t.Fatal("IPv4 networks are IPv6 ones too")
		}
	})
}

// hostile is names that would be more than a name in a rule set or a shell.
var hostile = []string{
	`eth1"`, `*`, `e*h`, `eth**`, `eth\*`, "eth1\n}", "eth1;", "$(id)", "`id`", "eth 1", "eth1\\", "'", "-j", "a/b", "eth1}", "#x", "{", "\x00", "@learnt4",
}

func TestNameOfTheConfigurationStaysOnItsLine(t *testing.T) {
	p := plan(t, listenersOf("tproxy"), "")
	lines := strings.Count(p.Script(nil, ""), "\n")
	for _, name := range append([]string{"a\nrm -rf x", "a\r\nb", "a\u2028b", "\xff", "a\u0085b"}, hostile...) {
		script := p.Script(nil, name)
		head := strings.SplitN(script, "\n", 3)[1]
		if strings.Count(script, "\n") != lines || !strings.HasPrefix(head, "# Made by nspiproxy rules from the configuration \"") || strings.ContainsFunc(head, func(c rune) bool { return c < ' ' || c > '~' }) {
			t.Errorf("%q: %q", name, head)
		}
	}
}

func TestHostileNamesDoNotReachTheRuleset(t *testing.T) {
	for _, name := range hostile {
		for _, field := range []string{"name", "interfaces"} {
			values := map[string]string{"name": "path", "interfaces": "[eth1]"}
			quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\x00", `\0`).Replace(name) + `"`
			values[field] = quoted
			if field == "interfaces" {
				values[field] = "[" + quoted + "]"
			}
			text := "version: 1\nlisteners:\n  - {name: " + values["name"] + ", mode: tproxy, port: 5135, destinations: [10.0.5.0/24], interfaces: " + values["interfaces"] + "}\n"
			if _, err := policy.Parse("test.yaml", []byte(text)); err == nil {
				t.Errorf("%s %q is accepted", field, name)
			}
		}
	}
}

func TestCommentTellsRulesApartAndLearntPortsDoNot(t *testing.T) {
	seen := map[string]string{}
	for _, c := range configurations {
		p := plan(t, c.listeners, c.settings)
		comment := p.comment()
		if other, ok := seen[comment]; ok {
			t.Errorf("%s and %s have the comment %q", c.name, other, comment)
		}
		seen[comment] = c.name
		for _, learnt := range []string{"", "10.0.5.11:49677 [fd00:5::11]:49677"} {
			if !strings.Contains(p.Ruleset(ports(learnt)), `comment "`+comment+`"`) {
				t.Errorf("%s with learnt ports %q has another comment", c.name, learnt)
			}
		}
	}
	for _, change := range []string{
		`{name: path, mode: tproxy, port: 5136, destinations: [10.0.5.0/24]}`,
		`{name: path, mode: tproxy, port: 5135, destinations: [10.0.4.0/23]}`,
		`{name: path, mode: tproxy, port: 5135, destinations: [10.0.5.0/24], nspi_ports: [6004]}`,
		`{name: path, mode: tproxy, port: 5135, destinations: [10.0.5.0/24], interfaces: [eth1]}`,
	} {
		if other, ok := seen[plan(t, change, "").comment()]; ok {
			t.Errorf("%s has the comment of %s", change, other)
		}
	}
}
