//go:build lab

package path

import (
	"bytes"
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/tower"
)

// question is one way of asking an endpoint mapper where NSPI is.
type question struct {
	name    string
	options client.Options
	level   rpcparse.AuthLevel // at which alice authenticates; 0: nobody does
	lookup  bool               // ept_lookup instead of ept_map
	step    uint32             // how many endpoints an answer has at most; 0: as many as can be
}

// smallFragment is the least that both sides must take (C706 12.6.2), in bytes.
const smallFragment = 1432

var (
	inNDR64   = client.Options{Transfer: rpcparse.SyntaxNDR64}
	bigEndian = client.Options{Order: rpcparse.BigEndian}
	small     = client.Options{MaxFragment: smallFragment}
	small64   = client.Options{MaxFragment: smallFragment, Transfer: rpcparse.SyntaxNDR64}
)

var questions = []question{
	{name: "ept_map"},
	{name: "ept_map in NDR64", options: inNDR64},
	{name: "ept_map in big-endian", options: bigEndian},
	{name: "ept_map, one by one", step: 1},
	{name: "ept_lookup", lookup: true},
	{name: "ept_lookup in NDR64", options: inNDR64, lookup: true},
	{name: "ept_lookup, two by two", lookup: true, step: 2},
	{name: "ept_lookup in fragments", options: small, lookup: true},
	{name: "ept_lookup in fragments, in NDR64", options: small64, lookup: true},
}

func (q question) atMost() uint32 { return cmp.Or(q.step, tower.MaxTowers) }

// dial connects to the endpoint mapper on server.
func (q question) dial(on *lab.Machine, server netip.Addr) (*client.Conn, error) {
	q.options.Connect = on.Dial
	if q.level != 0 {
		q.options.Security = asAlice(on, q.level).Security // each is for one connection
	}
	return client.DialEPM(netip.AddrPortFrom(server, lab.PortEPM).String(), q.options)
}

// ask asks the endpoint mapper on server, and returns the ports of NSPI.
func (q question) ask(t *testing.T, on *lab.Machine, server netip.Addr) (ports []uint16) {
	t.Helper()
	c, err := q.dial(on, server)
	if err != nil {
		t.Fatalf("%s: %v", q.name, err)
	}
	defer c.Close()
	all, err := c.Map(nspi.Interface, q.atMost())
	if q.lookup {
		all, err = c.Lookup(q.atMost())
	}
	if err != nil {
		t.Fatalf("%s: %v", q.name, err)
	}
	for _, e := range all {
		if e.Interface == nspi.Interface {
			ports = append(ports, e.Port)
		}
	}
	return ports
}

// manyAddresses are the first n further addresses of a machine in each family.
func manyAddresses(on *lab.Machine, n int) (all []string) {
	for i := range n {
		all = append(all, on.More(i).String(), on.More6(i).String())
	}
	return all
}

// TestPathPortsAreLearntHoweverClientsAsk: each question goes to an address that nobody has asked before. At once, all ports that
// were told lead to the proxy, and to the limit, which alice has reached elsewhere.
func TestPathPortsAreLearntHoweverClientsAsk(t *testing.T) {
	lab.InBothModes(t, func(t *testing.T, mode string) {
		const more = 7 // ports: as many as make fragments necessary
		network := lab.StartNetwork(t)
		at := network.DCs[0]
		dc := lab.StartDC(t, lab.DCOptions{On: at, MorePorts: more, Addresses: manyAddresses(at, len(questions))})
		proxy := lab.StartPath(t, network, lab.PathOptions{Mode: mode, Limit: 1, DCs: []*lab.DC{dc}, Policy: "  scope: all"})
		e := &evasion{PathProxy: proxy, t: t, dc: dc, at: at, from: network.Clients[1]}
		e.open()
		for i, q := range questions {
			for _, f := range lab.Families {
				server := f.More(at, i)
				ports := q.ask(t, e.from, server)
				if len(ports) != 1+more {
					t.Errorf("%s: %d ports are told", q.name, len(ports))
				}
				learnt := e.Learnt(t)
				for _, port := range ports {
					if at := netip.AddrPortFrom(server, port); !slices.Contains(learnt, at) {
						t.Errorf("%s: %s is told before it is intercepted", q.name, at)
					}
				}
				for _, port := range ports[:min(2, len(ports))] {
					e.refused(netip.AddrPortFrom(server, port), 0)
				}
			}
		}
	})
}

// TestPathEndpointMapperAnswersPassAsTheyAre: what a client is told through the proxy has the same bytes as what one is told that
// the proxy does not touch.
func TestPathEndpointMapperAnswersPassAsTheyAre(t *testing.T) {
	lab.InBothModes(t, func(t *testing.T, mode string) {
		network := lab.StartNetwork(t)
		at := network.DCs[0]
		dc := lab.StartDC(t, lab.DCOptions{On: at, MorePorts: 7})
		taken, passed := network.Clients[0], network.Clients[1]
		proxy := lab.StartPath(t, network, lab.PathOptions{Mode: mode, Limit: 1, DCs: []*lab.DC{dc}, Clients: []*lab.Machine{taken}})
		for _, q := range questions {
			if q.step != 0 {
				continue // the rest waits behind a handle that is new each time
			}
			for _, f := range lab.Families {
				var direct, through [][]byte
				proxy.CheckTaken(t, 0, func() { direct = q.answer(t, passed, f.Of(at)) })
				proxy.CheckTaken(t, 1, func() { through = q.answer(t, taken, f.Of(at)) })
				if !slices.EqualFunc(direct, through, bytes.Equal) {
					t.Errorf("%s by %s is answered by\n%x, through the proxy by\n%x", q.name, f.Name, direct, through)
				}
				if fragments := q.options.MaxFragment != 0; fragments != (len(direct) > 1) {
					t.Errorf("%s is answered in %d fragments", q.name, len(direct))
				}
			}
		}
	})
}

// answer returns the PDUs that a question is answered with.
func (q question) answer(t *testing.T, on *lab.Machine, server netip.Addr) (pdus [][]byte) {
	t.Helper()
	c, err := q.dial(on, server)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Send(q.request(t)); err != nil {
		t.Fatal(err)
	}
	for {
		pdu, h, err := c.ReadPDU()
		if err != nil {
			t.Fatal(err)
		}
		pdus = append(pdus, pdu)
		if h.Last() {
			return pdus
		}
	}
}

// request is the question's call.
func (q question) request(t *testing.T) client.Request {
	t.Helper()
	syntax := tower.NDR
	if q.options.Transfer == rpcparse.SyntaxNDR64 {
		syntax = tower.NDR64
	}
	r := client.Request{Opnum: tower.OpnumMap}
	var err error
	if q.lookup {
		r.Opnum = tower.OpnumLookup
		r.Stub, err = tower.AppendLookupRequest(nil, tower.LookupRequest{VersOption: 1, MaxEntries: q.atMost()}, syntax, q.options.Order)
	} else {
		nspiTower := tower.BuildTCP(nspi.Interface, rpcparse.SyntaxNDR, 0, netip.IPv4Unspecified())
		r.Stub, err = tower.AppendMapRequest(nil, tower.MapRequest{Tower: nspiTower, MaxTowers: q.atMost()}, syntax, q.options.Order)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestPathNobodyIsToldAPortBeforeItIsIntercepted: clients ask for the first time on each of many addresses, and connect to what
// they are told at once, on the same thread. If an answer did not wait for the kernel's set, some would pass by.
func TestPathNobodyIsToldAPortBeforeItIsIntercepted(t *testing.T) {
	const addresses = 100 // of each family
	lab.InBothModes(t, func(t *testing.T, mode string) {
		network := lab.StartNetwork(t)
		at := network.DCs[0]
		dc := lab.StartDC(t, lab.DCOptions{On: at, Addresses: manyAddresses(at, addresses)})
		proxy := lab.StartPath(t, network, lab.PathOptions{Mode: mode, Limit: 1, DCs: []*lab.DC{dc}})
		proxy.CheckTaken(t, 2*2*addresses, func() {
			err := network.Clients[0].Do(func() error {
				for _, server := range manyAddresses(at, addresses) {
					if err := askAndConnect(server); err != nil {
						return fmt.Errorf("%s: %w", server, err)
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	})
}

// askAndConnect asks the endpoint mapper on server for NSPI and connects to that, in the network namespace of this thread.
func askAndConnect(server string) error {
	mapper, err := lab.DialConn(net.JoinHostPort(server, strconv.Itoa(lab.PortEPM)), netip.Addr{})
	if err != nil {
		return err
	}
	defer mapper.Close()
	port, err := mapper.MapPort()
	if err != nil {
		return err
	}
	c, err := lab.DialConn(net.JoinHostPort(server, strconv.Itoa(int(port))), netip.Addr{})
	if err != nil {
		return err
	}
	defer c.Close()
	return c.Bind(0)
}
