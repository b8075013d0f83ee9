//go:build lab

package netns

import (
	"io"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"
)

func open(t *testing.T) *Namespace {
	t.Helper()
	n, err := New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	return n
}

// here is the namespace of this process's first thread.
func here(t *testing.T) string {
	t.Helper()
	name, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func TestEveryNamespaceIsAnother(t *testing.T) {
	seen := map[string]bool{here(t): true}
	for range 3 {
		n := open(t)
		name, err := n.Run("readlink", "/proc/self/ns/net")
		if err != nil {
			t.Fatal(err)
		}
		if name = strings.TrimSpace(name); seen[name] {
			t.Errorf("%s has been made before", name)
		}
		seen[name] = true
		err = n.Do(func() error {
			mine, err := os.Readlink("/proc/thread-self/ns/net")
			if mine != name {
				t.Errorf("Do runs in %s, programs in %s", mine, name)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestNoOtherGoroutineGetsIntoANamespace: a thread that was in one has come back before it is used again.
func TestNoOtherGoroutineGetsIntoANamespace(t *testing.T) {
	n, want := open(t), here(t)
	for range 50 {
		if err := n.Do(func() error { return nil }); err != nil {
			t.Fatal(err)
		}
		found := make(chan string)
		go func() {
			name, _ := os.Readlink("/proc/thread-self/ns/net")
			found <- name
		}()
		if name := <-found; name != want {
			t.Fatalf("a goroutine runs in %s instead of %s", name, want)
		}
	}
}

func TestSocketsBelongToTheNamespace(t *testing.T) {
	a, b := open(t), open(t)
	err := a.Batch("link add name ab type veth peer name ba netns "+b.Path(),
		"addr add 10.77.1.1/24 dev ab", "addr add fd77:1::1/64 dev ab nodad", "link set dev ab up")
	if err == nil {
		err = b.Batch("addr add 10.77.1.2/24 dev ba", "addr add 10.77.1.3/24 dev ba", "addr add fd77:1::2/64 dev ba nodad", "link set dev ba up")
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ server, local string }{
		{"10.77.1.1", "10.77.1.2"}, {"10.77.1.1", "10.77.1.3"}, {"fd77:1::1", "fd77:1::2"},
	} {
		l, err := a.Listen(netip.AddrPortFrom(netip.MustParseAddr(c.server), 0).String())
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		conn, err := b.Dial(l.Addr().String(), netip.MustParseAddr(c.local))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		accepted, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if got := accepted.RemoteAddr().String(); got != conn.LocalAddr().String() || !strings.Contains(got, c.local) {
			t.Errorf("the peer is %s, want %s", got, conn.LocalAddr())
		}
		accepted.Close()
		if rest, err := io.ReadAll(conn); err != nil || len(rest) != 0 {
			t.Errorf("%q, %v", rest, err)
		}
	}
	if c, err := b.Dial("10.77.1.1:1", netip.Addr{}); err == nil {
		c.Close()
		t.Error("connected to a port that nobody listens on")
	}
	receiver, err := a.ListenUDP("10.77.1.1:9")
	if err != nil {
		t.Fatal(err)
	}
	defer receiver.Close()
	udp, err := b.DialUDP("10.77.1.1:9")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	if got := udp.LocalAddr().String(); !strings.HasPrefix(got, "10.77.1.2:") {
		t.Errorf("UDP is sent from %s", got)
	}
	if _, err := udp.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	_ = receiver.SetReadDeadline(time.Now().Add(dialTimeout))
	text := make([]byte, 16)
	if n, from, err := receiver.ReadFromUDPAddrPort(text); err != nil || string(text[:n]) != "hello" || from.String() != udp.LocalAddr().String() {
		t.Errorf("received %q from %s, %v", text[:n], from, err)
	}
}

func TestParametersAreTheNamespacesOwn(t *testing.T) {
	a, b := open(t), open(t)
	const name = "net.ipv4.ip_forward"
	if err := a.SetSysctl(name, "1"); err != nil {
		t.Fatal(err)
	}
	for n, want := range map[*Namespace]string{a: "1", b: "0"} {
		got, err := n.Run("cat", "/proc/sys/net/ipv4/ip_forward")
		if err != nil || strings.TrimSpace(got) != want {
			t.Errorf("%s is %q, %v, want %s", name, got, err, want)
		}
	}
}

func TestFailuresTellWhatTheProgramSaid(t *testing.T) {
	n := open(t)
	if _, err := n.Run("ip", "link", "set", "dev", "nowhere", "up"); err == nil || !strings.Contains(err.Error(), "Cannot find device") {
		t.Errorf("%v", err)
	}
	if err := n.Batch("link set dev lo down", "link set dev nowhere up"); err == nil || !strings.Contains(err.Error(), `"nowhere"`) {
		t.Errorf("%v", err)
	}
	for _, address := range []string{"dc1.lab.test:135", "10.77.1.1"} {
		if _, err := n.Dial(address, netip.Addr{}); err == nil {
			t.Errorf("dialled %s", address)
		}
		if _, err := n.DialUDP(address); err == nil {
			t.Errorf("dialled %s by UDP", address)
		}
		if _, err := n.Listen(address); err == nil {
			t.Errorf("listens on %s", address)
		}
		if _, err := n.ListenUDP(address); err == nil {
			t.Errorf("listens on %s by UDP", address)
		}
	}
}
