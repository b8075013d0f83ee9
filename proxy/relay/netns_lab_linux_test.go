//go:build lab

package relay

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// namespace is a network namespace. It exists as long as something refers to it.
type namespace struct{ fd int }

// newNamespace makes one, with the loopback device up.
func newNamespace(t testing.TB) namespace {
	t.Helper()
	made := make(chan int)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		fd := -1
		if unix.Unshare(unix.CLONE_NEWNET) == nil {
			fd, _ = unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		}
		made <- fd
	}()
	ns := namespace{<-made}
	if ns.fd < 0 {
		t.Fatal("no network namespace can be made: the lab's tests need root")
	}
	t.Cleanup(func() { _ = unix.Close(ns.fd) })
	ns.run(t, "ip link set lo up")
	return ns
}

// do runs f in the namespace: sockets and processes that it makes are there.
func (ns namespace) do(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if err := unix.Setns(ns.fd, unix.CLONE_NEWNET); err != nil {
			panic(err)
		}
		f()
	}()
	<-done
}

// run runs commands, one a line, in the namespace.
func (ns namespace) run(t testing.TB, commands string) {
	t.Helper()
	ns.do(func() { runHere(t, commands) })
}

// path is how ip(8) names the namespace.
func (ns namespace) path() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), ns.fd) }

// runHere runs commands, one a line.
func runHere(t testing.TB, commands string) {
	t.Helper()
	for line := range strings.Lines(commands) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", strings.TrimSpace(line), err, out)
		}
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
		ip link add r1 type veth peer name c0 netns `+p.client.path()+`
		ip link add r2 type veth peer name s0 netns `+p.server.path()+`
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
	var l *net.TCPListener
	var err error
	p.server.do(func() { l, err = net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.MustParseAddrPort(addr))) })
	r.must(err)
	return l
}

// dial connects from the client's namespace; from may have port 0.
func (p path) dial(r *rig, from, to string) *net.TCPConn {
	r.Helper()
	var c *net.TCPConn
	var err error
	p.client.do(func() {
		d := net.Dialer{Timeout: testTimeout, LocalAddr: net.TCPAddrFromAddrPort(netip.MustParseAddrPort(from)), Control: reuseAddr}
		var conn net.Conn
		if conn, err = d.Dial("tcp", to); err == nil {
			c = conn.(*net.TCPConn)
		}
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
