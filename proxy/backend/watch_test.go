package backend

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/closedport"
	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// watching makes a set of domain controllers with these endpoint mappers, which
// are asked all the time.
func watching(mappers ...netip.AddrPort) (*Set, *reports) {
	o := Options{EndpointInterval: 5 * time.Millisecond}
	for i, m := range mappers {
		o.Backends = append(o.Backends, Backend{Name: fmt.Sprint("dc", i+1), Address: m.Addr(), EPMPort: m.Port()})
	}
	d := &reports{}
	return New(d.into(o)), d
}

func startDC(t *testing.T, c simdc.Config) *simdc.Server {
	t.Helper()
	dc, err := simdc.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(dc.Close)
	return dc
}

func nspiPorts(dc *simdc.Server) []uint16 {
	list := portsOf(dc.NSPIAddrs())
	slices.Sort(list)
	return list
}

func TestPortsOfARestartedDomainControllerAreLearnt(t *testing.T) {
	first := startDC(t, simdc.Config{MorePorts: 1})
	s, d := watching(first.EPMAddr())
	run(t, s)
	dc := s.All()[0]
	before := nspiPorts(first)
	eventually(t, "its ports are known", func() bool { return slices.Equal(dc.NSPI(), before) })

	first.Kill()
	eventually(t, "its end is told", func() bool { return d.has(EPMDown) })
	if !slices.Equal(dc.NSPI(), before) {
		t.Errorf("ports %v while it is down, want %v", dc.NSPI(), before)
	}
	second := startDC(t, simdc.Config{EPMPort: int(first.EPMAddr().Port())})
	after := nspiPorts(second)
	eventually(t, "its new port is known", func() bool { return slices.Equal(dc.NSPI(), after) })
	eventually(t, "everything is reported", func() bool { return len(d.portsReported(dc)) == 2 })
	if got, want := d.portsReported(dc), [][]uint16{before, after}; !reflect.DeepEqual(got, want) {
		t.Errorf("told %v, want %v", got, want)
	}
	if !d.has(EPMUp) {
		t.Errorf("events %v", d.kinds())
	}
}

func TestPortsAreToldWhenTheyChangeAndAfterEachConnection(t *testing.T) {
	m := newFakeMapper(t, 10, 11)
	s, d := watching(m.addr)
	run(t, s)
	dc := s.All()[0]
	told := func(want ...[]uint16) {
		t.Helper()
		asked := m.count(&m.asked)
		eventually(t, "it has been asked again", func() bool { return m.count(&m.asked) > asked+2 })
		if got := d.portsReported(dc); !reflect.DeepEqual(got, want) {
			t.Fatalf("told %v, want %v", got, want)
		}
	}
	told([]uint16{10, 11})
	m.set(func() { m.ports = []uint16{12} })
	told([]uint16{10, 11}, []uint16{12})
	m.disconnect()
	told([]uint16{10, 11}, []uint16{12}, []uint16{12})

	m.set(func() { m.ports = nil }) // the directory is stopped, the host is not
	told([]uint16{10, 11}, []uint16{12}, []uint16{12})
	m.disconnect()
	told([]uint16{10, 11}, []uint16{12}, []uint16{12})
	if got := dc.NSPI(); !slices.Equal(got, []uint16{12}) {
		t.Errorf("ports %v, though no other are known", got)
	}
	m.set(func() { m.ports = []uint16{12} })
	told([]uint16{10, 11}, []uint16{12}, []uint16{12}, []uint16{12})
	if got, want := d.kinds(), []string{"dc.up", "dc.ports", "dc.ports", "dc.ports", "dc.ports"}; !slices.Equal(got, want) {
		t.Errorf("events %v", got)
	}
	if n := m.count(&m.binds); n != 3 {
		t.Errorf("%d connections", n)
	}
}

// It is waited for, and nobody waits with it.
func TestSlowEndpointMapperDelaysNobodyElse(t *testing.T) {
	release := make(chan struct{})
	slow := startDC(t, simdc.Config{Delay: func(rpcparse.SyntaxID, uint16) time.Duration {
		<-release
		return 0
	}})
	other := newFakeMapper(t, 10)
	s, d := watching(slow.EPMAddr(), other.addr)
	s.o.Timeout, s.slow = time.Hour, time.Millisecond
	var looked atomic.Int32 // whether the host of the slow one lives
	s.dial = func(ctx context.Context, addr netip.AddrPort) error {
		if addr == slow.EPMAddr() {
			looked.Add(1)
		}
		return dialTCP(ctx, addr)
	}
	run(t, s)
	eventually(t, "the other is asked again and again", func() bool { return other.count(&other.asked) > 20 })
	eventually(t, "the slow one is looked at", func() bool { return looked.Load() > 0 })
	close(release)
	mine := s.All()[0]
	eventually(t, "the slow one has answered", func() bool { return slices.Equal(mine.NSPI(), nspiPorts(slow)) })
	if d.has(EPMDown) || d.has(DCDown) || len(d.silences()) != 0 {
		t.Errorf("told %v", d.kinds())
	}
}

func TestEndpointMapperThatSaysNothingIsGivenUpAndTriedAgain(t *testing.T) {
	m := newFakeMapper(t, 10)
	m.mute = true
	s, d := watching(m.addr)
	s.o.Timeout = 100 * time.Millisecond
	run(t, s)
	dc := s.All()[0]
	eventually(t, "it is given up", func() bool { return d.has(EPMDown) })
	if dc.State() != Serving || len(d.silences()) != 0 {
		t.Errorf("%v, %d silences: the host takes connections", dc.State(), len(d.silences()))
	}
	m.set(func() { m.mute = false })
	eventually(t, "it is heard", func() bool { return slices.Equal(dc.NSPI(), []uint16{10}) })
}

// Nobody connects to it for a client, and there is no active check: the watcher
// alone notices, and only the ports of NSPI count.
func TestEndOfADomainControllerIsNoticedByItsEndpointMapper(t *testing.T) {
	first := startDC(t, simdc.Config{})
	s, d := watching(first.EPMAddr())
	s.o.Interval = 10 * time.Millisecond // and so often it is checked in trouble
	run(t, s)
	dc := s.All()[0]
	eventually(t, "its port is known", func() bool { return len(dc.NSPI()) > 0 })
	first.Kill()
	eventually(t, "its end is noticed", func() bool { return dc.State() == Unreachable })
	startDC(t, simdc.Config{EPMPort: int(first.EPMAddr().Port())})
	eventually(t, "its return is noticed", func() bool { return dc.State() == Serving })
	if len(d.silences()) != 0 {
		t.Error("reported as silent, though it refused connections")
	}
}

func TestEndpointMapperThatEndsTakesNothingAway(t *testing.T) {
	m := newFakeMapper(t, 0)
	nspi := loopback(t)
	m.ports = []uint16{addrOf(nspi).Port()}
	s, d := watching(m.addr)
	s.o.Interval = 10 * time.Millisecond
	run(t, s)
	dc := s.All()[0]
	eventually(t, "its port is known", func() bool { return len(dc.NSPI()) > 0 })
	m.stop()
	eventually(t, "its end is told", func() bool { return d.has(EPMDown) })
	if dc.State() != Serving || !slices.Equal(dc.NSPI(), m.ports) || d.has(DCDown) {
		t.Errorf("%v, ports %v, told %v", dc.State(), dc.NSPI(), d.kinds())
	}
}

// Its ports answer nobody, but what was connected before is answered.
func TestHostWhoseEndpointMapperAnswersIsNotReportedAsSilent(t *testing.T) {
	m := newFakeMapper(t, 10)
	s, d := watching(m.addr)
	s.o.Interval = time.Millisecond
	var attempts atomic.Int32
	s.dial = func(ctx context.Context, _ netip.AddrPort) error {
		// Long enough for the endpoint mapper to answer meanwhile.
		for asked := m.count(&m.asked); m.count(&m.asked) < asked+2 && ctx.Err() == nil; {
			time.Sleep(time.Millisecond)
		}
		attempts.Add(1)
		return dialError(os.ErrDeadlineExceeded)
	}
	run(t, s)
	dc := s.All()[0]
	eventually(t, "its port is known", func() bool { return len(dc.NSPI()) > 0 })
	dc.DialFailed(10, true)
	eventually(t, "it is taken for unreachable", func() bool { return dc.State() == Unreachable })
	before := attempts.Load()
	eventually(t, "it is tried again and again", func() bool { return attempts.Load() > before+20 })
	if n := len(d.silences()); n != 0 {
		t.Errorf("reported %d times", n)
	}
}

func TestWhatDiallingAnEndpointMapperSays(t *testing.T) {
	up, down := newFakeMapper(t).addr, closedport.New(t)
	for _, tc := range []struct {
		name  string
		epm   netip.AddrPort
		ports []uint16
		want  State
	}{
		{"it stands in for NSPI", up, nil, Serving},
		{"it does not, once NSPI is known", up, []uint16{10}, Unreachable},
		{"refusing it proves no more than that the host lives", down, nil, Unreachable},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, _ := watching(tc.epm)
			dc := s.All()[0]
			dc.observe(observation{kind: monitoringBegun})
			if tc.ports != nil {
				dc.observe(observation{kind: mapperAnswered, ports: tc.ports})
			}
			for range s.o.Fall {
				dc.observe(observation{kind: checkEnded, outcome: unanswered})
			}
			w := watcher{set: s, dc: dc}
			for range s.o.Rise {
				if c, err := w.dial(context.Background()); err == nil {
					c.Close()
				}
			}
			if dc.State() != tc.want || dc.Silent() {
				t.Errorf("%v, silent: %v", dc.State(), dc.Silent())
			}
		})
	}
}

func TestFixedPortIsToldAndNobodyIsAsked(t *testing.T) {
	m := newFakeMapper(t, 10)
	d := &reports{}
	s := New(d.into(Options{Backends: []Backend{{Name: "dc", Address: m.addr.Addr(), EPMPort: m.addr.Port(), NSPIPort: 9}}}))
	run(t, s)
	dc := s.All()[0]
	eventually(t, "it is reported", func() bool { return reflect.DeepEqual(d.portsReported(dc), [][]uint16{{9}}) })
	if m.count(&m.binds) != 0 {
		t.Error("the endpoint mapper was asked")
	}
}

func TestPausesBetweenDialsGrow(t *testing.T) {
	busy := dialError(os.ErrDeadlineExceeded)
	for _, tc := range []struct {
		failures int
		err      error
		want     time.Duration
	}{
		{1, errRefused, 200 * time.Millisecond}, {2, errRefused, 400 * time.Millisecond}, {99, errRefused, 500 * time.Millisecond},
		{1, busy, 200 * time.Millisecond}, {3, busy, 800 * time.Millisecond}, {99, busy, 2 * time.Second},
		{5, errors.New("bind_nak"), 2 * time.Second},
	} {
		if got := pause(tc.failures, tc.err); got != tc.want {
			t.Errorf("%d failures, %v: %v, want %v", tc.failures, tc.err, got, tc.want)
		}
	}
}
