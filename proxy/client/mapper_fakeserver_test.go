package client

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/tower"
)

// patience bounds every wait of these tests; nothing takes that long.
const patience = 10 * time.Second

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// fakeServer serves each connection with a script, and ends it when the script
// does.
func fakeServer(t *testing.T, script func(c *fakeConn)) netip.AddrPort {
	t.Helper()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			tcp, err := l.AcceptTCP()
			if err != nil {
				return
			}
			_ = tcp.SetDeadline(time.Now().Add(patience))
			script(&fakeConn{Conn: tcp})
			tcp.Close()
		}
	}()
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// fakeConn is the server's end of a connection.
type fakeConn struct {
	net.Conn
	buf []byte
}

// read returns the client's next PDU, or false at the end.
func (c *fakeConn) read() (rpcparse.Header, bool) {
	for {
		if h, err := rpcparse.ParseHeader(c.buf); err == nil && int(h.FragLength) <= len(c.buf) {
			c.buf = c.buf[h.FragLength:]
			return h, true
		}
		b := make([]byte, 8192)
		n, err := c.Read(b)
		if err != nil {
			return rpcparse.Header{}, false
		}
		c.buf = append(c.buf, b[:n]...)
	}
}

// send writes what an encoder made. A client that has gone is its own affair.
func (c *fakeConn) send(pdus ...[]byte) {
	for _, pdu := range pdus {
		_, _ = c.Write(pdu)
	}
}

// bind answers the bind of a good client.
func (c *fakeConn) bind() bool {
	h, ok := c.read()
	if ok {
		c.send(bindAck(h.CallID, accepted))
	}
	return ok
}

// wait returns when the client has closed the connection.
func (c *fakeConn) wait() {
	for {
		if _, ok := c.read(); !ok {
			return
		}
	}
}

var accepted = rpcparse.ContextResult{Transfer: rpcparse.SyntaxNDR}

func headerOf(t rpcparse.PType, callID uint32) rpcparse.Header {
	return rpcparse.Header{Type: t, Flags: rpcparse.FlagsWhole, Drep: rpcparse.DrepLittleEndian, CallID: callID}
}

func bindAck(callID uint32, results ...rpcparse.ContextResult) []byte {
	return must(rpcparse.AppendBindAck(nil, rpcparse.BindAck{
		Header: headerOf(rpcparse.PTypeBindAck, callID), MaxXmitFrag: rpcparse.DefaultFragment, MaxRecvFrag: rpcparse.DefaultFragment, AssocGroupID: 7,
		SecondaryAddress: []byte("135\x00"), Results: rpcparse.NewResultList(results...),
	}))
}

// response is one fragment.
func responsePDU(callID uint32, flags rpcparse.Flags, stub []byte) []byte {
	h := headerOf(rpcparse.PTypeResponse, callID)
	h.Flags = flags
	return must(rpcparse.AppendResponse(nil, rpcparse.Response{Header: h, Stub: stub}))
}

// whole is a response in one fragment.
func wholePDU(callID uint32, stub []byte) []byte {
	return responsePDU(callID, rpcparse.FlagsWhole, stub)
}

// mapAnswer is the stub of an answer with NSPI on these ports.
func mapAnswer(ports ...uint16) tower.MapAnswer {
	a := tower.MapAnswer{Max: towersPerCall}
	for _, port := range ports {
		a.Towers = append(a.Towers, nspiTower(port))
	}
	return a
}

func nspiTower(port uint16) []byte {
	return tower.BuildTCP(nspi.Interface, rpcparse.SyntaxNDR, port, netip.MustParseAddr("10.0.0.1"))
}

func encode(a tower.MapAnswer) []byte {
	return must(tower.AppendMapResponse(nil, a, tower.NDR, rpcparse.LittleEndian))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
