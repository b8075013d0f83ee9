package lab

import (
	"cmp"
	"fmt"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// PathOptions says what proxy to put into the path of clients.
type PathOptions struct {
	Mode    string     // tproxy or redirect
	Limit   int        // sessions per user
	Clients []*Machine // whose connections are intercepted; default: those of both
	Listed  []*Machine // domain controllers that the configuration names; the others are known by their addresses
	DCs     []*DC      // where no session may be left in the end,
	Samba   *Samba     // and there

	WhenDown                    string // open or closed; default: that of Modes
	SameProcess                 string // true or false; default: what WhenDown makes of it
	NoRepair                    bool   // what others do to rules and routes is to stay
	Folder, Policy, Relay, More string // as in ProxyOptions
}

// PathProxy is a proxy on the router, in a transparent mode, with the rules that lead clients to it.
type PathProxy struct {
	*Proxy
	Network *Network
	Options PathOptions
	Started ProxyOptions
}

// StartPath puts the rules in force and starts the proxy, both as the systemd unit does: as an ordinary user. In the end no
// session is left on either side, and of the rules nothing.
func StartPath(t *testing.T, network *Network, o PathOptions) *PathProxy {
	t.Helper()
	if o.Folder == "" {
		o.Folder = OrdinaryFolder(t)
	}
	p := &PathProxy{Network: network, Options: o}
	p.Started = ProxyOptions{
		On: network.Router, OrdinaryUser: true, Folder: o.Folder, Limit: o.Limit,
		Listeners: o.listeners(network), Policy: o.Policy, Relay: o.Relay,
	}
	if !strings.Contains(o.More, "identity:") {
		o.More += "identity: {networks: {ipv6: 128}}\n" // each of a client's addresses is another client
	}
	process := ""
	if o.SameProcess != "" {
		process = ", same_process: " + o.SameProcess
	}
	p.Started.More = fmt.Sprintf("transparent: {when_down: %s, state_file: '%s', repair: %v%s}\n%s",
		cmp.Or(o.WhenDown, Modes[o.Mode]), p.StateFile(), !o.NoRepair, process, o.More)
	before := PacketFilter(t, network.Router)
	t.Cleanup(func() {
		RunRules(t, network.Router, "--remove")
		if after := PacketFilter(t, network.Router); after != before {
			t.Errorf("of rules and routes are gone\n%s\nand new\n%s", onlyIn(before, after), onlyIn(after, before))
		}
	})
	p.Apply(t)
	p.Serve(t)
	t.Cleanup(func() { p.checkNothingLeft(t) })
	return p
}

// Apply puts the rules in force.
func (p *PathProxy) Apply(t *testing.T) {
	t.Helper()
	WritePrivate(t, p.Started.File(), []byte(p.Started.yaml()))
	if said := RunRules(t, p.Network.Router, "--config", p.Started.File(), "--apply"); said != "" {
		t.Errorf("nspiproxy rules --apply says %s", said)
	}
}

// Serve starts the program.
func (p *PathProxy) Serve(t *testing.T) {
	t.Helper()
	p.Proxy = StartProxy(t, p.Started)
	CheckOrdinaryUser(t, p.Proxy)
}

// StateFile is where the proxy keeps the ports that it has learnt.
func (p *PathProxy) StateFile() string { return filepath.Join(p.Started.Folder, "ports.json") }

// RunRules runs nspiproxy rules with the rights of the proxy, and returns what it wrote.
func RunRules(t *testing.T, on *Machine, args ...string) string {
	t.Helper()
	line := asOrdinaryUser(append([]string{Program(t), "rules"}, args...))
	return on.Run(t, line[0], line[1:]...)
}

// Damage runs a shell script on the router that changes rules or routes: OTHER is a configuration that takes other connections,
// and nspiproxy this program.
func (p *PathProxy) Damage(t *testing.T, script string) {
	t.Helper()
	other := p.Started
	other.Folder, other.Listeners = OrdinaryFolder(t), strings.ReplaceAll(other.Listeners, fmt.Sprint("port: ", pathPort), "port: 5139")
	WritePrivate(t, other.File(), []byte(other.yaml()))
	script = strings.NewReplacer("OTHER", other.File(), "nspiproxy rules", Program(t)+" rules").Replace(script)
	p.Network.Router.Run(t, "sh", "-ec", script)
}

// PacketFilter is all rules and routes of a machine, but for the kernel's own, which come and go with a cable's carrier.
func PacketFilter(t *testing.T, on *Machine) string {
	t.Helper()
	return on.Run(t, "sh", "-ec", "nft list ruleset; for f in -4 -6; do ip $f rule; ip $f route show table all | sed '/proto kernel/d'; done")
}

// onlyIn are the lines of a text that another one has not.
func onlyIn(text, other string) string {
	has := strings.Split(other, "\n")
	return strings.Join(slices.DeleteFunc(strings.Split(text, "\n"), func(line string) bool { return slices.Contains(has, line) }), "\n")
}

// Taken is how many connections have come to the proxy since it started.
func (p *PathProxy) Taken(t *testing.T) int {
	t.Helper()
	return int(p.Metrics(t).Sum("nspiproxy_connections_total"))
}

// CheckTaken fails the test unless f makes as many connections that come to the proxy.
func (p *PathProxy) CheckTaken(t *testing.T, want int, f func()) {
	t.Helper()
	before := p.Taken(t)
	f()
	if got := p.Taken(t) - before; got != want {
		t.Errorf("%d connections have come to the proxy, want %d", got, want)
	}
}

// element is one of a set of nft, as that prints it.
var element = regexp.MustCompile(`([0-9a-f.:]+) \. ([0-9]+)`)

// Learnt are the ports that the kernel leads to the proxy because domain controllers' endpoint mappers have named them.
func (p *PathProxy) Learnt(t *testing.T) (ports []netip.AddrPort) {
	t.Helper()
	for _, set := range []string{"learnt4", "learnt6"} {
		for _, e := range element.FindAllStringSubmatch(p.Network.Router.Run(t, "nft", "--numeric", "list", "set", "inet", "nspiproxy", set), -1) {
			ports = append(ports, learntPort(t, e))
		}
	}
	slices.SortFunc(ports, netip.AddrPort.Compare)
	return ports
}

func learntPort(t *testing.T, e []string) netip.AddrPort {
	t.Helper()
	addr, err := netip.ParseAddr(e[1])
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.ParseUint(e[2], 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	return netip.AddrPortFrom(addr, uint16(port))
}

// connection is an element of the sets of connections that pass by.
var connection = regexp.MustCompile(`[0-9a-f.:]+ \. [0-9]+ \. [0-9a-f.:]+ \. [0-9]+`)

// Passing is how many connections pass by the proxy and are known to do so.
func (p *PathProxy) Passing(t *testing.T) (n int) {
	t.Helper()
	for _, set := range []string{"direct4", "direct6"} {
		n += len(connection.FindAllString(p.Network.Router.Run(t, "nft", "--numeric", "list", "set", "inet", "nspiproxy", set), -1))
	}
	return n
}

// checkNothingLeft waits until neither the proxy nor the domain controller knows of a session, or the proxy of a connection.
func (p *PathProxy) checkNothingLeft(t *testing.T) {
	if p.Ended() || t.Failed() {
		return
	}
	var m Metrics
	var sessions int
	defer func() {
		if t.Failed() {
			t.Logf("the domain controller has %d sessions, the proxy %v and %v connections", sessions,
				m.Sum("nspiproxy_sessions_held"), m.Sum("nspiproxy_connections"))
		}
	}()
	Eventually(t, SettleTime, "no session is left", func() bool {
		m, sessions = p.Metrics(t), 0
		for _, dc := range p.Options.DCs {
			if !dc.Ended() { // one that was restarted ends before the proxy
				sessions += dc.Count(t).Sessions
			}
		}
		if p.Options.Samba != nil {
			sessions += p.Options.Samba.Status(t).Sessions
		}
		return m.Sum("nspiproxy_sessions_held") == 0 && m.Sum("nspiproxy_sessions_reserved") == 0 && sessions == 0 &&
			m.Sum("nspiproxy_connections") == 0
	})
}
