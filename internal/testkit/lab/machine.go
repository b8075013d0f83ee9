package lab

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab/netns"
)

// Machine is a computer of a [Network]. A nil Machine is the one that the tests run on, with all of its addresses in
// 127.0.0.0/8: what can be told where to run takes either.
type Machine struct {
	Name     string     // also of the router's interface towards it
	Address  netip.Addr // of IPv4
	Address6 netip.Addr // of IPv6

	number  int // of its part of the network
	hosts   string
	network *Network
	ns      *netns.Namespace
}

// More is a further IPv4 address of the machine, for n from 0 to 99.
func (m *Machine) More(n int) netip.Addr { return address(m.number, hostMore+n) }

// More6 is a further IPv6 address of the machine, for n from 0 to 99.
func (m *Machine) More6(n int) netip.Addr { return address6(m.number, hostMore+n) }

// RouterAddress is the router's IPv4 address on the machine's cable.
func (m *Machine) RouterAddress() netip.Addr { return address(m.number, hostRouter) }

// RouterAddress6 is the router's IPv6 address on the machine's cable.
func (m *Machine) RouterAddress6() netip.Addr { return address6(m.number, hostRouter) }

// Do runs f on a thread that is in the machine's network namespace.
func (m *Machine) Do(f func() error) error { return m.ns.Do(f) }

// Listen listens for TCP connections on the machine.
func (m *Machine) Listen(address string) (*net.TCPListener, error) { return m.ns.Listen(address) }

// ListenUDP listens for datagrams on the machine.
func (m *Machine) ListenUDP(address string) (*net.UDPConn, error) { return m.ns.ListenUDP(address) }

// addresses are the lines of ip that give an interface all addresses of the machine.
func (m *Machine) addresses(device string, bits, bits6 int) []string {
	lines := []string{
		fmt.Sprintf("addr add %s/%d dev %s", m.Address, bits, device),
		fmt.Sprintf("addr add %s/%d dev %s nodad", m.Address6, bits6, device),
	}
	for n := range morePerMachine {
		lines = append(lines, fmt.Sprintf("addr add %s/%d dev %s", m.More(n), bits, device),
			fmt.Sprintf("addr add %s/128 dev %s nodad preferred_lft 0", m.More6(n), device)) // sends only if asked to
	}
	return lines
}

// setSysctls sets what must be there before the first interface is, on a router or another machine.
func (m *Machine) setSysctls(router bool) error {
	settings := [][2]string{
		// An address of IPv6 is there at once, not after a second of asking whether somebody else has it.
		{"net.ipv6.conf.all.accept_dad", "0"},
		{"net.ipv6.conf.default.accept_dad", "0"},
		// The dynamic ports of Windows.
		{"net.ipv4.ip_local_port_range", "49152 65535"},
	}
	if router {
		settings = append(settings, [][2]string{
			{"net.ipv4.ip_forward", "1"},
			{"net.ipv6.conf.all.forwarding", "1"},
			// A filter by the way back would drop packets that a proxy sends with its client's address.
			{"net.ipv4.conf.all.rp_filter", "0"},
			{"net.ipv4.conf.default.rp_filter", "0"},
		}...)
	}
	for _, s := range settings {
		if err := m.ns.SetSysctl(s[0], s[1]); err != nil {
			return err
		}
	}
	return nil
}

// ownHosts runs a program with a file of its own as /etc/hosts, in a mount namespace that nobody else sees.
const ownHosts = `mount --bind "$1" /etc/hosts && shift && exec "$@"`

// command is a program that will run on the machine, as the process that the caller starts.
func (m *Machine) command(name string, args ...string) *exec.Cmd {
	if m == nil {
		return exec.Command(name, args...)
	}
	prefix := []string{"--mount", "--propagation", "private", "sh", "-c", ownHosts, "sh", m.hosts, name}
	return m.ns.Command("unshare", append(prefix, args...)...)
}

// Run runs a program on the machine to its end, and returns what it wrote. It fails the test when the program fails.
func (m *Machine) Run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := m.command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// Dial connects from the machine to address, an IP address and port. A valid local is the source address. The connection may
// be used anywhere.
func (m *Machine) Dial(address string, local netip.Addr) (*net.TCPConn, error) {
	if m != nil {
		return m.ns.Dial(address, local)
	}
	d := net.Dialer{Timeout: AnswerTime}
	if local.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(local, 0))
	}
	c, err := d.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return c.(*net.TCPConn), nil
}

// Accepts says whether somebody on the machine listens on address.
func (m *Machine) Accepts(address string) bool {
	c, err := m.Dial(address, netip.Addr{})
	if err != nil {
		return false
	}
	c.Close()
	return true
}

// http is a client on the machine for one request, with a limit in time.
func (m *Machine) http(limit time.Duration) *http.Client {
	return &http.Client{Timeout: limit, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(_ context.Context, _, address string) (net.Conn, error) {
			return m.Dial(address, netip.Addr{})
		},
	}}
}

// Flow is an established TCP connection, as the kernel at one end sees it.
type Flow struct{ Local, Peer netip.AddrPort }

// Flows are the TCP connections that the machine's kernel has established: what any program there, whatever it may tell, has
// for a peer.
func (m *Machine) Flows(t testing.TB) (flows []Flow) {
	t.Helper()
	for line := range strings.Lines(m.Run(t, "ss", "--no-header", "--tcp", "--numeric", "state", "established")) {
		fields := strings.Fields(line) // Recv-Q, Send-Q, local, peer
		if len(fields) < 4 {
			t.Fatalf("ss says %q", line)
		}
		flows = append(flows, Flow{Local: endpoint(t, fields[2]), Peer: endpoint(t, fields[3])})
	}
	return flows
}

func endpoint(t testing.TB, text string) netip.AddrPort {
	t.Helper()
	at, err := netip.ParseAddrPort(text)
	if err != nil {
		t.Fatal(err)
	}
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
}

// MapPort asks the endpoint mapper at an IP address for the port of NSPI.
func (m *Machine) MapPort(address string) (uint16, error) {
	conn, err := m.Dial(net.JoinHostPort(address, strconv.Itoa(PortEPM)), netip.Addr{})
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	return NewConn(conn).MapPort()
}

// HostPort joins a host and a port.
func HostPort(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }
