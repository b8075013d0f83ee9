//go:build lab

package transparent

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// startLabWatcher starts a Watcher as the program does.
func startLabWatcher(t testing.TB, p *Plan, repair bool) running {
	t.Helper()
	r := running{store: newPorts(), reports: make(chan Report, 1000)}
	r.Watcher = p.NewWatcher(r.store, WatchOptions{Repair: repair, Report: func(p Report) { r.reports <- p }})
	r.Start(patience)
	t.Cleanup(r.Close)
	return r
}

// learn learns a port and waits for the kernel.
func (r running) learn(t testing.TB, p netip.AddrPort) {
	t.Helper()
	if _, err := r.store.Learn(p); err != nil {
		t.Fatal(err)
	}
	if err := r.add(p); err != nil {
		t.Fatal(err)
	}
}

// elements returns what nft says is in the sets.
func elements(t testing.TB) []netip.AddrPort {
	t.Helper()
	var all []netip.AddrPort
	words := strings.Fields(strings.ReplaceAll(sh(t, "nft list set inet nspiproxy learnt4; nft list set inet nspiproxy learnt6"), ",", ""))
	for i, w := range words {
		if w != "." || words[i+1] == "inet_service" {
			continue
		}
		addr, err := netip.ParseAddr(words[i-1])
		if err != nil {
			t.Fatal(err)
		}
		var port uint16
		if _, err := fmt.Sscan(words[i+1], &port); err != nil {
			t.Fatal(err)
		}
		all = append(all, netip.AddrPortFrom(addr, port))
	}
	slices.SortFunc(all, netip.AddrPort.Compare)
	return all
}

// sameElements fails the test if the kernel has not what the store has.
func (r running) sameElements(t testing.TB) {
	t.Helper()
	if got, want := elements(t), r.store.List(); !slices.Equal(got, want) {
		t.Errorf("the kernel has %d ports %v, the store %d", len(got), got[:min(len(got), 10)], len(want))
	}
}

func TestPortIsInTheKernelWhenAddEnds(t *testing.T) {
	clean(t)
	apply(t, tproxy(t, "open"), "")
	r := startLabWatcher(t, tproxy(t, "open"), false)
	if err := r.sync(); err != nil {
		t.Fatal(err)
	}
	const n = 50
	var byNetlink, byProgram time.Duration
	for i := range n {
		p := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 77, 2, byte(i)}), 49152)
		start := time.Now()
		r.learn(t, p)
		byNetlink += time.Since(start)
		start = time.Now()
		if _, err := run(fmt.Sprintf("add element inet nspiproxy learnt4 { 10.77.3.%d . 49152 }", i), "nft", "-f", "-"); err != nil {
			t.Fatal(err)
		}
		byProgram += time.Since(start)
		if i == 0 && !slices.Contains(elements(t), p) {
			t.Errorf("%s is not in the kernel", p)
		}
	}
	t.Logf("a port is added in %s by netlink, in %s by the program nft", byNetlink/n, byProgram/n)
	eventually(t, "what somebody else added is removed", func() bool { return slices.Equal(elements(t), r.store.List()) })
}

func TestRulesAppliedBehindItsBackAreFilled(t *testing.T) {
	clean(t)
	r := startLabWatcher(t, tproxy(t, "open"), false)
	p := ports("10.77.2.2:49677 [fd77:2::2]:49677")
	for _, p := range p {
		if _, err := r.store.Learn(p); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.add(p[0]); !errors.Is(err, ErrNotApplied) {
		t.Errorf("without rules: error %v", err)
	}
	if got := <-r.reports; got.Reason != ReasonTable {
		t.Errorf("reported %v", got)
	}
	for _, change := range []string{"applied", "applied again", "flushed"} {
		if change == "flushed" {
			sh(t, "nft flush set inet nspiproxy learnt4")
		} else {
			apply(t, tproxy(t, "open"), "10.77.2.9:1")
		}
		start := time.Now()
		eventually(t, change, func() bool { return slices.Equal(elements(t), p) })
		t.Logf("%s: filled after %s", change, time.Since(start))
	}
	if got := <-r.reports; got.Err != nil {
		t.Errorf("reported %v", got)
	}
	for range 2 { // applied again with other ports, and flushed
		if lost, back := <-r.reports, <-r.reports; lost.Reason != ReasonPorts || !back.Repaired {
			t.Errorf("reported %v and %v", lost, back)
		}
	}
}

func TestKernelTakesAsManyPortsAsTheStore(t *testing.T) {
	clean(t)
	apply(t, tproxy(t, "open"), "")
	r := startLabWatcher(t, tproxy(t, "open"), false)
	addr4, addr6 := netip.MustParseAddr("10.77.0.0"), netip.MustParseAddr("fd77:2::")
	for range maxPorts / 4 {
		addr4, addr6 = addr4.Next(), addr6.Next()
		for _, a := range []netip.Addr{addr4, addr6} {
			if _, _, err := r.store.Confirm(a, []uint16{49152, 49153}); err != nil {
				t.Fatal(err)
			}
		}
	}
	start := time.Now()
	if err := r.sync(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d ports in %s", maxPorts, time.Since(start))
	start = time.Now()
	if got, err := r.Ports.kernel.read(); err != nil || len(got) != maxPorts {
		t.Errorf("read %d ports, error %v", len(got), err)
	}
	t.Logf("read in %s", time.Since(start))
	r.sameElements(t)
	for _, p := range r.store.List() {
		if _, _, err := r.store.Confirm(p.Addr(), []uint16{49153, 49154}); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.sync(); err != nil {
		t.Fatal(err)
	}
	r.sameElements(t)
	// The rules are put in force with as many, by a text for nft.
	apply(t, tproxy(t, "open"), "")
	if err := tproxy(t, "open").Apply(r.store.List()); err != nil {
		t.Fatal(err)
	}
	r.sameElements(t)
}

func TestLearntPortIsTakenAndAForgottenOneLetsConnectionsLive(t *testing.T) {
	const address = dcIPv4 + ":49677"
	n := newNetwork(t)
	dc := n.server.serve(t, address)
	apply(t, tproxy(t, "open"), "")
	startTPROXY(t)
	r := startLabWatcher(t, tproxy(t, "open"), false)
	before := n.client.connect(t, address)
	if err := before.echo(10); err != nil {
		t.Fatal(err)
	}
	r.learn(t, netip.MustParseAddrPort(address))
	if err := before.echo(10); !isReset(err) {
		t.Errorf("a connection from before: error %v, want a reset", err)
	}
	proxied := n.client.connect(t, address)
	if err := proxied.echo(10); err != nil || !strings.Contains(sh(t, "ss -Htan state established sport = 49677"), proxied.seen) {
		t.Errorf("a connection from after: error %v, and the proxy does not have it", err)
	}
	if _, _, err := r.store.Confirm(netip.MustParseAddr(dcIPv4), nil); err != nil {
		t.Fatal(err)
	}
	if err := r.sync(); err != nil || len(elements(t)) != 0 {
		t.Errorf("error %v, left %v", err, elements(t))
	}
	if err := proxied.echo(1 << 20); err != nil {
		t.Errorf("the connection that the proxy has: %v", err)
	}
	proxied.Close()
	_ = dc.end(t)
}

func TestLostRoutingIsNoticed(t *testing.T) {
	for _, loss := range []string{
		"ip -4 rule del pref 77", "ip -6 rule del pref 78", "ip -4 rule flush protocol 78",
		"ip -4 route flush table 20051", "ip -6 route del local default dev lo table 20051",
	} {
		t.Run(loss, func(t *testing.T) {
			clean(t)
			p := tproxy(t, "open")
			apply(t, p, "")
			if err := p.checkRouting(); err != nil {
				t.Fatal(err)
			}
			sh(t, loss)
			if err := p.checkRouting(); !errors.Is(err, ErrNoRouting) {
				t.Errorf("error %v", err)
			}
			apply(t, p, "")
			if err := p.checkRouting(); err != nil {
				t.Errorf("applied again: %v", err)
			}
		})
	}
}

// ordinaryUser is what the program does with the kernel, for
// TestOneCapabilityIsEnough: the arguments are listeners of a configuration.
func ordinaryUser(listeners string) error {
	p, err := parsePlan(listeners, "")
	if err != nil {
		return err
	}
	if os.Getuid() == 0 {
		return errors.New("this is root")
	}
	for _, step := range []func() error{
		func() error { return p.Apply(nil) },
		func() error { _, err := OnStop(); return err },
		Remove,
		func() error { return p.Apply(nil) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	store := newPorts()
	watcher := p.NewWatcher(store, WatchOptions{Report: func(Report) {}})
	watcher.Start(patience)
	defer watcher.Close()
	endpoint := netip.MustParseAddrPort("10.0.5.11:49677")
	if _, err := store.Learn(endpoint); err != nil {
		return err
	}
	done := make(chan error, 1)
	watcher.Ports.Add(endpoint, func(err error) { done <- err })
	if err := <-done; err != nil {
		return err
	}
	fmt.Println("applied and added")
	return nil
}

func TestOneCapabilityIsEnough(t *testing.T) {
	clean(t)
	folder, err := os.MkdirTemp("", "nspiproxy-user-") // t.TempDir is in a folder of root's alone
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(folder, "program")
	if err := os.WriteFile(program, self, 0o755); err != nil {
		t.Fatal(err)
	}
	asUser := func(capabilities string) string {
		cmd := exec.Command("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs",
			"--bounding-set=-all"+capabilities, "--inh-caps=-all"+capabilities, "--ambient-caps=-all"+capabilities, program, listenersOf("tproxy-both"))
		cmd.Env = []string{"PATH=/usr/bin:/bin", roleVariable + "=" + roleUser}
		out, _ := cmd.CombinedOutput()
		return string(out)
	}
	contains(t, asUser(""), "(CAP_NET_ADMIN is needed, as an ambient capability for a user other than root)")
	contains(t, asUser(",+net_bind_service"), "(CAP_NET_ADMIN is needed")
	contains(t, asUser(",+net_admin"), "applied and added")
	if got := elements(t); !slices.Equal(got, ports("10.0.5.11:49677")) {
		t.Errorf("in the kernel: %v", got)
	}
}
