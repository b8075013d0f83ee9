//go:build lab

package failure

import (
	"net/netip"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
)

// relearnTime is after how long learnt ports are back in rules that somebody has put in force again: the proxy looks once a
// second. A busy machine gets some more.
const relearnTime = 4 * time.Second

// TestPathFirewallReload: somebody's firewall flushes all rules, and has ours put in force again by the script that nspiproxy
// rules printed before any port was learnt. The proxy itself may not repair anything.
func TestPathFirewallReload(t *testing.T) {
	for _, mode := range bothModes {
		t.Run(mode, func(t *testing.T) { reload(t, mode) })
	}
}

// reloaded are connections to one address, with a session each.
type reloaded struct {
	silent *lab.Conn // says nothing while there are no rules
	asking *lab.Conn // asks then
	direct *lab.Conn // is made then
	asked  error     // of asking's writing: it may have ended by then
}

func reload(t *testing.T, mode string) {
	p := startFailPath(t, lab.PathOptions{Mode: mode, Relay: cutKeepAlive, Listed: []*lab.Machine{}, NoRepair: true},
		lab.DCOptions{NSPIPort: 50001, KeepAlive: time.Second})
	script := lab.RunRules(t, p.Router, "--config", p.Started.File())
	all := map[netip.Addr]*reloaded{}
	for _, server := range p.addresses() {
		all[server] = &reloaded{silent: p.joined(t, server), asking: p.joined(t, server)}
	}
	lab.CheckHeld(t, p.Proxy, p.dc, 4)

	p.Router.Run(t, "nft", "flush", "ruleset")
	for server, r := range all {
		r.direct = p.joined(t, server)
		r.ask(t)
	}
	p.logged(t, "intercept.error")
	p.Router.Run(t, "sh", "-c", script)
	back := time.Now()
	for _, server := range p.addresses() {
		lab.Eventually(t, relearnTime, "the port is intercepted again", func() bool { return p.intercepted(t, server, 50001) })
	}
	t.Logf("learnt ports are back after %s", time.Since(back))
	for server, r := range all {
		r.check(t, server, mode)
	}
	for _, r := range all {
		r.silent.Close()
		r.asking.Close()
	}
	p.checkNobodyLeft(t)
}

// ask sends a bind.
func (r *reloaded) ask(t *testing.T) {
	t.Helper()
	request, err := lab.AppendNspiBind(nil, bindCall)
	if err != nil {
		t.Fatal(err)
	}
	_, r.asked = r.asking.TCP.Write(request)
}

// check looks at what has become of the connections once the rules are back. With TPROXY all packets that went astray are sent
// again. With REDIRECT a connection of which a packet was on the way without a rule has ended: without the rule it came from,
// or went to, other addresses.
func (r *reloaded) check(t *testing.T, server netip.Addr, mode string) {
	t.Helper()
	asking := r.asked
	if asking == nil {
		_, asking = lab.NextPDU(r.asking.TCP)
	}
	_, silent := opened(r.silent)
	ok := asking == nil && silent == nil
	if mode == "redirect" {
		ok = isRefused(asking) && (silent == nil || isRefused(silent))
	}
	if !ok {
		t.Errorf("%s: a connection that asked has %v, a silent one %v", server, asking, silent)
	}
	if _, err := opened(r.direct); !isRefused(err) {
		t.Errorf("%s: a connection that passed by goes on: %v", server, err)
	}
}
