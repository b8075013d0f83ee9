package backend

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"
)

// waitTimeout bounds every wait for something real; nothing takes that long.
const waitTimeout = 10 * time.Second

// reports are the events, ports and silences that a set has reported.
type reports struct {
	mu     sync.Mutex
	events []Event
	ports  []portsReport
	silent []time.Duration
}

type portsReport struct {
	dc      *DC
	ports   []uint16 // of NSPI
	process []uint16
}

// into makes o report to d.
func (d *reports) into(o Options) Options {
	o.OnEvent = func(e Event) { d.write(func() { d.events = append(d.events, e) }) }
	o.OnPorts = func(dc *DC, p Ports) {
		d.write(func() { d.ports = append(d.ports, portsReport{dc, p.NSPI, p.Process}) })
	}
	o.OnSilent = func(_ netip.Addr, silent time.Duration) { d.write(func() { d.silent = append(d.silent, silent) }) }
	return o
}

func (d *reports) write(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
}

// kinds returns the events so far, in short.
func (d *reports) kinds() (list []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range d.events {
		word := string(e.Kind)
		if e.Kind == DCDown {
			word += " " + e.State.String()
		}
		list = append(list, word)
	}
	return list
}

func (d *reports) silences() []time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.silent)
}

// portsReported returns the reports about the ports of dc.
func (d *reports) portsReported(dc *DC) (list [][]uint16) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range d.ports {
		if p.dc == dc {
			list = append(list, p.ports)
		}
	}
	return list
}

// lastPorts returns the latest report about ports.
func (d *reports) lastPorts() portsReport {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.ports) == 0 {
		return portsReport{}
	}
	return d.ports[len(d.ports)-1]
}

// has says whether an event of the kind was reported.
func (d *reports) has(kind Kind) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.ContainsFunc(d.events, func(e Event) bool { return e.Kind == kind })
}

// run runs s until the returned function is called, which waits for its end.
func run(t testing.TB, s *Set) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx) }()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return stop
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(waitTimeout); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("still not true: %s", what)
		}
	}
}
