package transparent

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nspiproxy/nspiproxy/policy"
)

var update = flag.Bool("update", false, "write the golden files anew")

// configurations are the combinations of modes, families and options, each the
// listeners of a configuration and what is in its section transparent.
var configurations = []struct {
	name, listeners, settings string
	learnt                    string
}{
	{name: "tproxy", listeners: `{name: path, mode: tproxy, port: 5135, destinations: [10.0.5.0/24]}`},
	{name: "tproxy-closed", listeners: `{name: path, mode: tproxy, port: 5135, destinations: [10.0.5.0/24]}`, settings: "when_down: closed"},
	{name: "tproxy-v6", listeners: `{name: path, mode: tproxy, port: 5135, destinations: ["fd00:5::/64"]}`},
	{name: "tproxy-both", learnt: "10.0.5.11:49677 10.0.5.11:49670 10.0.5.12:49152 [fd00:5::11]:49677",
		listeners: `{name: path, mode: tproxy, port: 5135, destinations: ["fd00:5::/64", 10.0.5.0/24, 10.9.9.9], interfaces: [eth1, br-lan], nspi_ports: [6004, 1024]}`},
	{name: "tproxy-closed-both", settings: "when_down: closed\n  mark: 7\n  route_table: 99", learnt: "[fd00:5::11]:49677",
		listeners: `{name: path, mode: tproxy, port: 5135, destinations: [10.0.5.0/24, "fd00:5::/64"], interfaces: [eth1]}`},
	{name: "redirect", listeners: `{name: host, mode: redirect, port: 5136, destinations: [10.0.5.0/24]}`},
	{name: "redirect-v6", listeners: `{name: host, mode: redirect, port: 5136, destinations: ["fd00:5::/64"]}`},
	{name: "redirect-closed-both", settings: "when_down: closed", learnt: "10.0.5.11:49677",
		listeners: `{name: host, mode: redirect, port: 5136, destinations: ["fd00:5::/64", 10.0.5.0/24], nspi_ports: [6004], interfaces: [eth2]}`},
	{name: "mixed", learnt: "10.0.5.11:49677 [fd00:5::11]:49677",
		listeners: `{name: a, mode: tproxy, port: 5135, destinations: [10.0.5.0/24], interfaces: [eth1]}
  - {name: b, mode: tproxy, port: 5137, destinations: [10.0.0.0/16, 10.1.0.0/16], interfaces: [eth2]}
  - {name: c, mode: redirect, port: 5136, destinations: [10.2.0.0/16, "fd00:5::/64"]}`},
	{name: "wildcard", listeners: `{name: a, mode: tproxy, port: 5135, destinations: [10.0.5.0/24], interfaces: [eth1, "ppp*"]}
  - {name: b, mode: redirect, port: 5136, destinations: [10.0.6.0/24], interfaces: ["ppp*"]}`},
	{name: "forward", listeners: `{name: own, mode: forward, address: 10.0.5.21, backend: dc1}`},
}

// listenersOf returns the listeners of one of them.
func listenersOf(name string) string {
	for _, c := range configurations {
		if c.name == name {
			return c.listeners
		}
	}
	panic(name)
}

// plan reads a configuration.
func plan(t testing.TB, listeners, settings string) *Plan {
	t.Helper()
	p, err := parsePlan(listeners, settings)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func parsePlan(listeners, settings string) (*Plan, error) {
	text := "version: 1\nlisteners:\n  - " + listeners + "\n"
	if strings.Contains(listeners, "backend:") {
		text += "backends:\n  - {name: dc1, address: 10.0.5.11}\n"
	}
	if settings != "" {
		text += "transparent:\n  " + settings + "\n"
	}
	c, err := policy.Parse("test.yaml", []byte(text))
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, text)
	}
	return New(c), nil
}

// ports reads addresses with ports, separated by spaces.
func ports(text string) (all []netip.AddrPort) {
	for _, s := range strings.Fields(text) {
		all = append(all, netip.MustParseAddrPort(s))
	}
	return all
}

func TestScriptsAreAsInTheGoldenFiles(t *testing.T) {
	for _, c := range configurations {
		got := plan(t, c.listeners, c.settings).Script(ports(c.learnt), c.name+".yaml")
		file := filepath.Join("testdata", c.name+".sh")
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s: got\n%s\nwant\n%s", c.name, got, want)
		}
	}
}
