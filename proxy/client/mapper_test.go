package client

import (
	"errors"
	"net/netip"
	"slices"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/tower"
)

func startDC(t *testing.T, c simdc.Config) *simdc.Server {
	t.Helper()
	dc, err := simdc.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(dc.Close)
	return dc
}

func dialMapper(t *testing.T, addr netip.AddrPort) *Mapper {
	t.Helper()
	c, err := DialMapper(testContext(t), addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func ports(addrs []netip.AddrPort) (list []uint16) {
	for _, a := range addrs {
		list = append(list, a.Port())
	}
	slices.Sort(list)
	return list
}

// More ports than one answer has towers for: the list is continued by its
// handle. In fragments of 2048 bytes the answers do not fit one either.
func TestAllPortsOfADomainControllerAreFound(t *testing.T) {
	for _, c := range []simdc.Config{
		{},
		{NoNDR64: true, NoMultiplexing: true},
		{MorePorts: 3},
		{MorePorts: towersPerCall},
		{MorePorts: towersPerCall + 10, MaxFragment: 2048},
		{MorePorts: maxPorts - 1},
	} {
		dc := startDC(t, c)
		m := dialMapper(t, dc.EPMAddr())
		for range 3 {
			got, err := m.Map(testContext(t), nspi.Interface)
			if want := ports(dc.NSPIAddrs()); err != nil || !slices.Equal(got, want) {
				t.Errorf("%+v: %v, %v, want %v", c, got, err, want)
			}
		}
	}
}

func TestMorePortsThanAnInterfaceCanHaveAreRefused(t *testing.T) {
	dc := startDC(t, simdc.Config{MorePorts: maxPorts})
	if got, err := dialMapper(t, dc.EPMAddr()).Map(testContext(t), nspi.Interface); !errors.Is(err, ErrLimit) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestInterfaceThatIsNotRegisteredIsAnAnswer(t *testing.T) {
	dc := startDC(t, simdc.Config{})
	c := dialMapper(t, dc.EPMAddr())
	other := nspi.Interface
	other.UUID[0]++
	for range 3 {
		if got, err := c.Map(testContext(t), other); !errors.Is(err, ErrNotRegistered) || got != nil {
			t.Fatalf("%v, %v", got, err)
		}
		if _, err := c.Map(testContext(t), nspi.Interface); err != nil {
			t.Fatal(err)
		}
	}
}

// answered asks once a server that answers with these stubs, one a request.
func answered(t *testing.T, stubs ...[]byte) ([]uint16, error) {
	t.Helper()
	addr := fakeServer(t, func(c *fakeConn) {
		ok := c.bind()
		for _, stub := range stubs {
			var h rpcparse.Header
			if h, ok = c.read(); ok {
				c.send(wholePDU(h.CallID, stub))
			}
		}
		if ok {
			c.wait()
		}
	})
	return dialMapper(t, addr).Map(testContext(t), nspi.Interface)
}

func TestPortsOfAnAnswer(t *testing.T) {
	more := tower.Handle{4: 1}
	newer, older := nspi.Interface, nspi.Interface
	newer.Version, older.Version = 57, nspi.Interface.Version|1<<16
	transfer, addr := rpcparse.SyntaxNDR, netip.MustParseAddr("10.0.0.1")
	mixed := mapAnswer(49678, 49670, 0, 49670)
	mixed.Towers = append(mixed.Towers,
		tower.AppendHTTP(nil, nspi.Interface, transfer, 6004, addr),
		tower.BuildTCP(newer, transfer, 1, addr),
		tower.BuildTCP(tower.EPMInterface, transfer, 135, addr),
		tower.BuildTCP(older, rpcparse.SyntaxNDR64, 50000, addr),
		[]byte("no tower"),
	)
	first := mapAnswer(3, 1)
	first.Handle = more
	bad := mapAnswer()
	bad.Status = tower.StatusCannotPerform
	none := mapAnswer()
	none.Status = tower.StatusNotRegistered
	endless := make([][]byte, maxMapperRounds)
	for i := range endless {
		endless[i] = encode(first)
	}
	crowd := mapAnswer(make([]uint16, towersPerCall+1)...)
	crowd.Max = tower.MaxTowers

	var status *StatusError
	for _, tc := range []struct {
		name  string
		stubs [][]byte
		want  []uint16
		err   error
		as    any
	}{
		{name: "those of others are passed over", stubs: [][]byte{encode(mixed)}, want: []uint16{49670, 49678, 50000}},
		{name: "continued", stubs: [][]byte{encode(first), encode(mapAnswer(2, 3))}, want: []uint16{1, 2, 3}},
		{name: "continued with nothing", stubs: [][]byte{encode(first), encode(none)}, want: []uint16{1, 3}},
		{name: "empty", stubs: [][]byte{encode(mapAnswer())}, err: ErrNotRegistered},
		{name: "port 0 only", stubs: [][]byte{encode(mapAnswer(0, 0))}, err: ErrNotRegistered},
		{name: "endless", stubs: endless, err: ErrLimit},
		{name: "more towers than asked for", stubs: [][]byte{encode(crowd)}, err: ErrLimit},
		{name: "status", stubs: [][]byte{encode(bad)}, as: &status},
		{name: "no stub", stubs: [][]byte{nil}, as: new(*rpcparse.Error)},
		{name: "short stub", stubs: [][]byte{encode(mixed)[:100]}, as: new(*rpcparse.Error)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := answered(t, tc.stubs...)
			if !slices.Equal(got, tc.want) || tc.want != nil && err != nil ||
				tc.err != nil && !errors.Is(err, tc.err) || tc.as != nil && !errors.As(err, tc.as) {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
	if status == nil || status.Status != tower.StatusCannotPerform {
		t.Errorf("status %v", status)
	}
}

func TestAnswerInBigEndianIsRead(t *testing.T) {
	addr := fakeServer(t, func(c *fakeConn) {
		if !c.bind() {
			return
		}
		x, _ := c.read()
		h := headerOf(rpcparse.PTypeResponse, x.CallID)
		h.Drep = rpcparse.DrepBigEndian
		stub := must(tower.AppendMapResponse(nil, mapAnswer(49670), tower.NDR, rpcparse.BigEndian))
		c.send(must(rpcparse.AppendResponse(nil, rpcparse.Response{Header: h, Stub: stub})))
		c.wait()
	})
	if got, err := dialMapper(t, addr).Map(testContext(t), nspi.Interface); err != nil || !slices.Equal(got, []uint16{49670}) {
		t.Errorf("%v, %v", got, err)
	}
}
