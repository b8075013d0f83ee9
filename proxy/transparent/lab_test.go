//go:build lab

package transparent

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab/netns"
)

// roleVariable makes a copy of the test binary play another part: the tests
// themselves run in one, in a network namespace that ends with it.
const roleVariable = "NSPIPROXY_TRANSPARENT_ROLE"

// The parts.
const (
	roleTests = "tests"
	roleUser  = "user" // an ordinary user with CAP_NET_ADMIN
)

// TestMain gives the lab tests a network namespace without anything in it.
func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case roleTests:
		if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "%sip link set lo up: %v\n", out, err)
			os.Exit(1)
		}
		os.Exit(m.Run())
	case roleUser:
		if err := ordinaryUser(os.Args[1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), roleVariable+"="+roleTests)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		os.Exit(exit.ExitCode())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "a network namespace for the tests (root is needed):", err)
		os.Exit(1)
	}
}

// namespace is a network namespace beside that of the tests.
type namespace struct{ *netns.Namespace }

// newNamespace makes one, in which no IPv6 address waits for two seconds until it is there. It ends with the test.
func newNamespace(t testing.TB) namespace {
	t.Helper()
	ns, err := netns.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ns.Close)
	n := namespace{ns}
	n.sh(t, noDAD)
	return n
}

// noDAD lets IPv6 addresses be there at once.
const noDAD = "sysctl -qw net.ipv6.conf.default.accept_dad=0"

// sh runs a shell script in the namespace and returns what it printed.
func (n namespace) sh(t testing.TB, script string) string {
	t.Helper()
	out, err := n.Run("sh", "-ec", script)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// sh runs a shell script where the rules are.
func sh(t testing.TB, script string) string {
	t.Helper()
	out, err := exec.Command("sh", "-ec", script).CombinedOutput()
	if err != nil {
		t.Fatalf("%s\n%s%v", script, out, err)
	}
	return string(out)
}

// everything prints all rules and routes. The kernel lists the elements of a set
// in any order, so the words of lines with a set are put in order.
func everything(t testing.TB) string {
	t.Helper()
	lines := strings.Split(sh(t, `nft list ruleset; for f in -4 -6; do ip $f rule; ip $f route show table all; done`), "\n")
	for i, line := range lines {
		words := strings.Fields(strings.ReplaceAll(line, ",", ""))
		if strings.Contains(line, "{ ") {
			slices.Sort(words)
			lines[i] = strings.Join(words, " ")
		}
	}
	return strings.Join(lines, "\n")
}

// clean fails the test if anything of ours is left when it ends.
func clean(t testing.TB) {
	t.Helper()
	before := everything(t)
	t.Cleanup(func() {
		if err := Remove(); err != nil {
			t.Error(err)
		}
		if after := everything(t); after != before {
			t.Errorf("left behind: was\n%s\nis\n%s", before, after)
		}
	})
}

// apply puts the rules of a plan in force.
func apply(t testing.TB, p *Plan, learnt string) {
	t.Helper()
	if err := p.Apply(ports(learnt)); err != nil {
		t.Fatal(err)
	}
}

// contains fails the test where text is not in what.
func contains(t testing.TB, what, text string) {
	t.Helper()
	if !strings.Contains(what, text) {
		t.Errorf("no %q in\n%s", text, what)
	}
}
