package backend

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/closedport"
)

// loopback listens on a port of its own until the test ends.
func loopback(t testing.TB) *net.TCPListener {
	t.Helper()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func addrOf(l *net.TCPListener) netip.AddrPort { return l.Addr().(*net.TCPAddr).AddrPort() }

func dialError(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }

func TestErrorOfAConnectSaysWhoseFaultItIs(t *testing.T) {
	system := func(e syscall.Errno) error { return dialError(os.NewSyscallError("connect", e)) }
	for _, tc := range []struct {
		err  error
		want outcome
	}{
		{nil, connected},
		{system(syscall.ECONNREFUSED), refused},
		{system(syscall.ECONNRESET), refused},
		{system(syscall.ETIMEDOUT), unanswered},
		{system(syscall.EHOSTUNREACH), unanswered},
		{system(syscall.ENETUNREACH), unanswered},
		{dialError(os.ErrDeadlineExceeded), unanswered},
		{dialError(context.DeadlineExceeded), unanswered},
		{fmt.Errorf("epm: %w", context.DeadlineExceeded), unanswered},
		{dialError(context.Canceled), undecided},
		{system(syscall.EADDRNOTAVAIL), undecided},
		{system(syscall.EMFILE), undecided},
		{errors.New("else"), undecided},
	} {
		if got := classify(tc.err); got != tc.want {
			t.Errorf("%v: %v, want %v", tc.err, got, tc.want)
		}
	}
}

func TestRealConnectsAreClassified(t *testing.T) {
	for _, tc := range []struct {
		addr netip.AddrPort
		want outcome
	}{{addrOf(loopback(t)), connected}, {closedport.New(t), refused}} {
		err := dialTCP(context.Background(), tc.addr)
		if got := classify(err); got != tc.want || err != nil && !isDial(err) {
			t.Errorf("%v: %v", tc.want, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := dialTCP(ctx, addrOf(loopback(t))); classify(err) != undecided {
		t.Errorf("canceled: %v", err)
	}
	ctx, cancel = context.WithDeadline(context.Background(), time.Unix(1, 0))
	defer cancel()
	if err := dialTCP(ctx, addrOf(loopback(t))); classify(err) != unanswered {
		t.Errorf("too late: %v", err)
	}
}

// fakeNet is a network whose ports do as they are told. What is not told hangs
// until its time is over.
type fakeNet map[uint16]error

func (f fakeNet) dial(ctx context.Context, addr netip.AddrPort) error {
	if err, ok := f[addr.Port()]; ok {
		return err
	}
	<-ctx.Done()
	return dialError(ctx.Err())
}

var errRefused = dialError(os.NewSyscallError("connect", syscall.ECONNREFUSED))

func TestConnectsToSeveralPortsAreOneOutcome(t *testing.T) {
	local := dialError(syscall.EMFILE)
	at := func(ports ...uint16) (list []netip.AddrPort) {
		for _, p := range ports {
			list = append(list, netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), p))
		}
		return list
	}
	for _, tc := range []struct {
		name            string
		counted, others []uint16
		net             fakeNet
		want            outcome
	}{
		{"one of two", []uint16{1, 2}, []uint16{135}, fakeNet{1: errRefused, 2: nil}, connected},
		{"nobody waits for the others", []uint16{1}, []uint16{135}, fakeNet{1: nil}, connected},
		{"refused", []uint16{1}, []uint16{135}, fakeNet{1: errRefused, 135: errRefused}, refused},
		{"the endpoint mapper alone", []uint16{1}, []uint16{135}, fakeNet{135: nil}, refused},
		{"the host refuses elsewhere", []uint16{1}, []uint16{135}, fakeNet{135: errRefused}, refused},
		{"nothing", []uint16{1, 2}, []uint16{135}, fakeNet{}, unanswered},
		{"could not try", []uint16{1}, nil, fakeNet{1: local}, undecided},
		{"could not try everything", []uint16{1}, []uint16{135}, fakeNet{135: local}, undecided},
		{"refused is enough", []uint16{1}, []uint16{135}, fakeNet{1: local, 135: errRefused}, refused},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
			if tc.want == connected {
				cancel()
				ctx, cancel = context.WithCancel(context.Background()) // it must end by itself
			}
			defer cancel()
			got, reason := reach(ctx, tc.net.dial, at(append(tc.counted, tc.others...)...), len(tc.counted))
			if got != tc.want || (reason == "") != (got == connected) {
				t.Errorf("%v, %q, want %v", got, reason, tc.want)
			}
		})
	}
}

func TestPortsThatAreCheckedInDoubt(t *testing.T) {
	epm, o := netip.MustParseAddrPort("10.0.0.1:135"), Options{}.withDefaults()
	dc := newDC("dc", dcNames{}, epm, 0, &o)
	check := func(what string, counted, others []uint16) {
		t.Helper()
		ports, counting := dc.health.Load().checkPorts(epm)
		if got, rest := portsOf(ports[:counting]), portsOf(ports[counting:]); !slices.Equal(got, counted) || !slices.Equal(rest, others) {
			t.Errorf("%s: %v and %v, want %v and %v", what, got, rest, counted, others)
		}
	}
	check("nothing known", []uint16{135}, nil)
	dc.DialOK(135)
	check("clients reach the endpoint mapper", []uint16{135}, nil)
	dc.DialOK(6004)
	check("clients reach a port", []uint16{6004}, []uint16{135})
	dc.observe(observation{kind: monitoringBegun})
	dc.observe(observation{kind: mapperAnswered, ports: []uint16{1, 2, 3, 4, 5, 6}})
	check("NSPI known", []uint16{1, 2, 3, 4}, []uint16{135})
	dc = newDC("dc", dcNames{}, epm, 7, &o)
	check("a fixed one", []uint16{7}, []uint16{135})
}

func portsOf(addrs []netip.AddrPort) (list []uint16) {
	for _, a := range addrs {
		list = append(list, a.Port())
	}
	return list
}
