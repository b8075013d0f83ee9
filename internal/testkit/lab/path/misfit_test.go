//go:build lab

package path

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
)

// misfit is the path with an interface that does not exist and a destination to which
// no route leads.
const misfit = `listeners:
  - name: path
    mode: tproxy
    port: 5135
    destinations: [10.77.2.0/24, "fd77:2::/64", 10.99.0.0/16]
    interfaces: [client1, eth9, "ppp*"]
`

// TestConfigurationThatDoesNotFitTheMachineIsSaid starts with a wrong one, and then
// makes the router none.
func TestConfigurationThatDoesNotFitTheMachineIsSaid(t *testing.T) {
	network := lab.StartNetwork(t)
	folder := lab.OrdinaryFolder(t)
	o := lab.ProxyOptions{On: network.Router, OrdinaryUser: true, Folder: folder, Limit: 3, Listeners: misfit,
		More: "transparent: {state_file: '" + filepath.Join(folder, "ports.json") + "'}\n"}
	proxy := lab.StartProxy(t, o)
	said := lab.RunRules(t, network.Router, "--config", o.File(), "--apply")
	defer lab.RunRules(t, network.Router, "--remove")
	of := map[any]string{"interfaces": "eth9, ppp*", "destinations": "10.99.0.0/16"}
	for setting, values := range of {
		if want := fmt.Sprintf("warning: listener path: %s: %s: ", setting, values); !strings.Contains(said, want) {
			t.Errorf("rules --apply does not say %q:\n%s", want, said)
		}
	}
	problems := func() []lab.Record { return proxy.Events("intercept.path") }
	lab.Eventually(t, lab.SettleTime, "both are in the log", func() bool { return len(problems()) == 2 })
	for _, r := range problems() {
		if r["listener"] != "path" || r["level"] != "warn" || r["of"] != of[r["setting"]] {
			t.Errorf("%v", r)
		}
	}
	network.Router.Run(t, "sysctl", "-qw", "net.ipv4.ip_forward=0")
	lab.Eventually(t, lab.SettleTime, "what becomes true later is in the log", func() bool { return len(problems()) == 3 })
	if r := problems()[2]; r["of"] != "net.ipv4.ip_forward" {
		t.Errorf("%v", r)
	}
}
