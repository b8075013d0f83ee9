//go:build lab

package relay

import (
	"bytes"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab/netns"
)

// namespace is a network namespace beside that of this process.
type namespace struct{ *netns.Namespace }

// newNamespace makes one, with the loopback device up. It ends with the test.
func newNamespace(t testing.TB) namespace {
	t.Helper()
	ns, err := netns.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ns.Close)
	return namespace{ns}
}

// run runs a shell script in the namespace.
func (ns namespace) run(t testing.TB, script string) {
	t.Helper()
	if _, err := ns.Run("sh", "-ec", script); err != nil {
		t.Error(err)
	}
}

// runHere runs a shell script where this process is.
func runHere(t testing.TB, script string) {
	t.Helper()
	if out, err := exec.Command("sh", "-ec", script).CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", script, err, out)
	}
}

// nft loads rules.
func nft(t testing.TB, rules string) {
	t.Helper()
	cmd := exec.Command("nft", "-f", "-")
	cmd.Stdin = strings.NewReader(rules)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("nft: %v\n%s", err, out)
	}
}

// routerVariable tells a test that it runs as the router already.
const routerVariable = "RELAY_TEST_ROUTER"

// asRouter runs the calling test once more, in a process whose threads are all in
// a network namespace of their own, and reports what came of it. There it returns
// true, and the test goes on.
func asRouter(t *testing.T) bool {
	t.Helper()
	if os.Getenv(routerVariable) != "" {
		runHere(t, "ip link set lo up")
		return true
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v", "-test.timeout=2m")
	cmd.Env = append(os.Environ(), routerVariable+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

// path is a routed network: clients on one side of this process, a server on the
// other. IPv4 and IPv6.
//
//	client 10.77.1.2, .3 ── c0 ── r1 10.77.1.1 router 10.77.2.1 r2 ── s0 ── server 10.77.2.2
//	       fd77:1::2                fd77:1::1         fd77:2::1                    fd77:2::2
type path struct{ client, server namespace }

func newPath(t *testing.T) path {
	t.Helper()
	p := path{newNamespace(t), newNamespace(t)}
	runHere(t, `
		sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
		ip link add r1 type veth peer name c0 netns `+p.client.Path()+`
		ip link add r2 type veth peer name s0 netns `+p.server.Path()+`
		ip addr add 10.77.1.1/24 dev r1
		ip addr add fd77:1::1/64 dev r1 nodad
		ip addr add 10.77.2.1/24 dev r2
		ip addr add fd77:2::1/64 dev r2 nodad
		ip link set r1 up
		ip link set r2 up`)
	p.client.run(t, `
		ip addr add 10.77.1.2/24 dev c0
		ip addr add 10.77.1.3/24 dev c0
		ip addr add fd77:1::2/64 dev c0 nodad
		ip link set c0 up
		ip route add default via 10.77.1.1
		ip -6 route add default via fd77:1::1`)
	p.server.run(t, `
		ip addr add 10.77.2.2/24 dev s0
		ip addr add fd77:2::2/64 dev s0 nodad
		ip link set s0 up
		ip route add default via 10.77.2.1
		ip -6 route add default via fd77:2::1`)
	return p
}

// listen listens in the server's namespace.
func (p path) listen(r *rig, addr string) *net.TCPListener {
	r.Helper()
	l, err := p.server.Listen(addr)
	r.must(err)
	return l
}

// dial connects from the client's namespace; from may have port 0.
func (p path) dial(r *rig, from, to string) *net.TCPConn {
	r.Helper()
	var c *net.TCPConn
	err := p.client.Do(func() error {
		d := net.Dialer{Timeout: testTimeout, LocalAddr: net.TCPAddrFromAddrPort(netip.MustParseAddrPort(from)), Control: reuseAddr}
		conn, err := d.Dial("tcp", to)
		if err == nil {
			c = conn.(*net.TCPConn)
		}
		return err
	})
	r.must(err)
	r.Cleanup(func() { _ = c.Close() })
	r.must(c.SetDeadline(time.Now().Add(testTimeout)))
	return c
}

// reuseAddr lets a client have several connections from one port.
func reuseAddr(_, _ string, c syscall.RawConn) (err error) {
	if e := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1) }); e != nil {
		return e
	}
	return err
}
