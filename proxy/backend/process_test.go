package backend

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// watchingProcess is watching for the further interfaces of a process as well.
func watchingProcess(b Backend) (*Set, *reports) {
	o := Options{EndpointInterval: 5 * time.Millisecond, Backends: []Backend{b}, Process: func(netip.Addr) (list []rpcparse.SyntaxID) {
		for _, i := range nspi.Process {
			list = append(list, i.Syntax)
		}
		return list
	}}
	d := &reports{}
	return New(d.into(o)), d
}

func mapperOf(dc *simdc.Server) Backend {
	return Backend{Name: "dc1", Address: dc.EPMAddr().Addr(), EPMPort: dc.EPMAddr().Port()}
}

// processPorts are the ports that are reported of a simulated domain controller: RFRI is
// one of the interfaces, and is where NSPI is.
func processPorts(dc *simdc.Server) []uint16 {
	list := append(portsOf(dc.ProcessAddrs()), portsOf(dc.NSPIAddrs())...)
	slices.Sort(list)
	return list
}

func TestPortsOfTheProcessAreLearntAndFollowed(t *testing.T) {
	first := startDC(t, simdc.Config{ProcessPorts: 4})
	s, d := watchingProcess(mapperOf(first))
	run(t, s)
	dc := s.All()[0]
	eventually(t, "its ports are known", func() bool { return slices.Equal(dc.Ports().Process, processPorts(first)) })
	if !slices.Equal(dc.NSPI(), nspiPorts(first)) {
		t.Errorf("NSPI is on %v, want %v", dc.NSPI(), nspiPorts(first))
	}
	first.Kill()
	eventually(t, "its end is told", func() bool { return d.has(EPMDown) })
	if !slices.Equal(dc.Ports().Process, processPorts(first)) {
		t.Errorf("ports %v while it is down", dc.Ports().Process)
	}
	second := startDC(t, simdc.Config{EPMPort: int(first.EPMAddr().Port()), ProcessPorts: 2})
	eventually(t, "its new ports are known", func() bool { return slices.Equal(dc.Ports().Process, processPorts(second)) })
	eventually(t, "they are reported", func() bool {
		last := d.lastPorts()
		return slices.Equal(last.ports, nspiPorts(second)) && slices.Equal(last.process, processPorts(second))
	})
	if !d.has(DCProcess) || !d.has(EPMUp) {
		t.Errorf("events %v", d.kinds())
	}
}

func TestPortsOfTheProcessAreLearntWhereThePortOfNSPIIsFixed(t *testing.T) {
	sim := startDC(t, simdc.Config{ProcessPorts: 3})
	b := mapperOf(sim)
	b.NSPIPort = 6004 // not where it is: it is not asked for
	s, d := watchingProcess(b)
	run(t, s)
	eventually(t, "they are reported", func() bool {
		last := d.lastPorts()
		return slices.Equal(last.ports, []uint16{6004}) && slices.Equal(last.process, processPorts(sim))
	})
	if d.has(DCPorts) {
		t.Errorf("events %v", d.kinds())
	}
}

func TestProcessIsNotAskedAboutWithoutNSPI(t *testing.T) {
	m := newFakeMapper(t)
	s, d := watchingProcess(Backend{Name: "dc1", Address: m.addr.Addr(), EPMPort: m.addr.Port()})
	run(t, s)
	eventually(t, "it is asked", func() bool { return m.count(&m.asked) > 3 })
	if d.has(DCProcess) || s.All()[0].Ports().Process != nil {
		t.Errorf("events %v", d.kinds())
	}
	if n := m.count(&m.binds); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// A turn is one question more, whatever the number of interfaces.
func TestLaterQuestionsAskAboutOneFurtherInterface(t *testing.T) {
	m := newFakeMapper(t, 10)
	s, _ := watchingProcess(Backend{Name: "dc1", Address: m.addr.Addr(), EPMPort: m.addr.Port()})
	s.o.EndpointInterval = time.Hour
	run(t, s)
	all := 1 + len(nspi.Process)
	eventually(t, "all are asked about", func() bool { return m.count(&m.asked) == all })
	m.disconnect()
	eventually(t, "and again on a new connection", func() bool { return m.count(&m.asked) == 2*all })

	m = newFakeMapper(t, 10)
	s, _ = watchingProcess(Backend{Name: "dc1", Address: m.addr.Addr(), EPMPort: m.addr.Port()})
	s.o.EndpointInterval = 10 * time.Millisecond
	run(t, s)
	eventually(t, "several turns", func() bool { return m.count(&m.asked) > all+20 })
	if own, others := m.count(&m.askedNSPI), m.count(&m.asked); others-own-(all-1) > own {
		t.Errorf("%d questions, %d of them for NSPI", others, own)
	}
}

func TestStatusForAFurtherInterfaceIsAnAnswer(t *testing.T) {
	m := newFakeMapper(t, 10)
	m.refuses = true
	s, d := watchingProcess(Backend{Name: "dc1", Address: m.addr.Addr(), EPMPort: m.addr.Port()})
	run(t, s)
	eventually(t, "it is asked again and again", func() bool { return m.count(&m.asked) > 30 })
	if n := m.count(&m.binds); n != 1 || d.has(EPMDown) || !slices.Equal(s.All()[0].NSPI(), []uint16{10}) {
		t.Errorf("%d connections, events %v", n, d.kinds())
	}
}
