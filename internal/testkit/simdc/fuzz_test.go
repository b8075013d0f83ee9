package simdc

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/tower"
)

// FuzzServices: no stub of any operation panics, answers more than it may, or
// leaves a session behind when its association has ended.
func FuzzServices(f *testing.F) {
	handle := nspi.Handle{4: 1}
	withHandle := func(n int) []byte { return append(handle[:], make([]byte, n)...) }
	f.Add(uint16(0), make([]byte, 60), false, false, false)
	f.Add(uint16(1), withHandle(4), true, false, false)
	f.Add(uint16(2), withHandle(44), false, false, false)
	f.Add(uint16(3), withHandle(60), false, true, false)
	f.Add(uint16(12), withHandle(44), false, false, false)
	mapped, _ := tower.AppendMapRequest(nil, tower.MapRequest{MaxTowers: 4, Tower: tower.BuildTCP(nspi.Interface,
		rpcparse.SyntaxNDR, 0, netip.AddrFrom4([4]byte{}))}, tower.NDR, rpcparse.LittleEndian)
	f.Add(tower.OpnumMap, mapped, false, false, true)
	listed, _ := tower.AppendLookupRequest(nil, tower.LookupRequest{MaxEntries: 4}, tower.NDR64, rpcparse.LittleEndian)
	f.Add(tower.OpnumLookup, listed, true, false, true)
	f.Add(tower.OpnumLookupHandleFree, withHandle(0), false, false, true) // of a session, not of an entry

	s := &Server{cfg: Config{AnonymousBind: true}.withDefaults(), sessions: newSessions(5)}
	mapper := &epmService{registrations: []registration{{iface: nspi.Interface, addr: netip.MustParseAddrPort("127.0.0.1:1")}}}
	f.Fuzz(func(t *testing.T, opnum uint16, stub []byte, ndr64, bigEndian, epm bool) {
		table := newAssociations(&s.ids)
		a, _ := table.enter(0, netip.MustParseAddr("127.0.0.1"))
		defer func() {
			table.leave(a)
			if left := s.sessions.counts(); len(left) != 0 {
				t.Errorf("sessions are left: %v", left)
			}
		}()
		owned, _ := s.sessions.open(nil, netip.AddrPort{})
		a.store(handle, owned)
		x := &call{conn: &conn{server: s, assoc: a}, opnum: opnum, stub: stub, order: rpcparse.Order(bigEndian),
			context: &presentation{transfer: rpcparse.SyntaxNDR}}
		if ndr64 {
			x.context.transfer = rpcparse.SyntaxNDR64
		}
		var out []byte
		if epm {
			out, _ = mapper.call(x)
		} else {
			out, _ = (&nspiService{server: s}).call(x)
		}
		if limit := 1 << 20; len(out) > max(limit, len(stub)) {
			t.Fatalf("%d bytes answer %d", len(out), len(stub))
		}
	})
}

// FuzzConnection: whatever a client sends, its connection ends and leaves
// nothing behind.
func FuzzConnection(f *testing.F) {
	head := rpcparse.Header{Type: rpcparse.PTypeBind, Flags: rpcparse.FlagsWhole, Drep: rpcparse.DrepLittleEndian, CallID: 1}
	bind, _ := rpcparse.AppendBind(nil, rpcparse.Bind{Header: head, MaxXmitFrag: 5840, MaxRecvFrag: 5840,
		Contexts: rpcparse.NewContextList(rpcparse.ContextElement{Abstract: nspi.Interface,
			Transfers: rpcparse.NewSyntaxList(rpcparse.SyntaxNDR)})})
	request, _ := rpcparse.AppendRequest(nil, rpcparse.Request{Header: head,
		Stub: nspi.AppendBindRequest(nil, nspi.BindRequest{}, nspi.NDR, rpcparse.LittleEndian)})
	f.Add(append(bind, request...))
	f.Add([]byte("GET / HTTP/1.0\r\n\r\n"))
	s, err := Start(Config{AnonymousBind: true, EPMPort: -1})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(s.Close)
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := net.DialTCP("tcp", nil, net.TCPAddrFromAddrPort(s.NSPIAddr()))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		_, _ = c.Write(b) // the server may have had enough already
		_ = c.CloseWrite()
		for buf := make([]byte, 4096); err == nil; {
			_, err = c.Read(buf)
		}
		if timeout, ok := err.(net.Error); ok && timeout.Timeout() { //nolint:errorlint // of Read itself
			t.Fatal("the connection does not end")
		}
	})
}
