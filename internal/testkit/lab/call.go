package lab

import (
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// SendBinds writes NspiBind requests with the given call ids, all in one segment.
func SendBinds(t *testing.T, c *Conn, calls ...uint32) {
	t.Helper()
	var b []byte
	for _, call := range calls {
		var err error
		if b, err = AppendNspiBind(b, call); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.TCP.Write(b); err != nil {
		t.Fatal(err)
	}
}

// ReadBinds reads n answers to NspiBind and returns their codes by call id.
func ReadBinds(t *testing.T, c *Conn, n int) map[uint32]nspi.Code {
	t.Helper()
	codes := map[uint32]nspi.Code{}
	for len(codes) < n {
		pdu, err := NextPDU(c.TCP)
		if err != nil {
			t.Fatal(err)
		}
		r, err := rpcparse.ParseResponse(pdu)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := nspi.ParseBindResponse(r.Stub, nspi.NDR, rpcparse.LittleEndian)
		if err != nil {
			t.Fatal(err)
		}
		codes[r.CallID] = answer.Code
	}
	return codes
}

// NextPDU reads one PDU.
func NextPDU(conn net.Conn) ([]byte, error) {
	_ = conn.SetReadDeadline(time.Now().Add(SettleTime))
	head := make([]byte, rpcparse.HeaderSize)
	if _, err := io.ReadFull(conn, head); err != nil {
		return nil, err
	}
	h, err := rpcparse.ParseHeader(head)
	if err != nil {
		return nil, err
	}
	pdu := append(head, make([]byte, int(h.FragLength)-len(head))...)
	_, err = io.ReadFull(conn, pdu[len(head):])
	return pdu, err
}

// ClientAddress is the n-th client address.
func ClientAddress(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{127, 0, 30, byte(n)})
}

// DialProxy connects client n to the NSPI port that the endpoint mapper names. The connection ends with the test.
func DialProxy(t *testing.T, proxy *Proxy, n int) *Conn {
	t.Helper()
	c, err := DialConn(proxy.NSPI(t), ClientAddress(n))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// OpenSession binds c in a new association, unless it has one, and opens a session.
func OpenSession(t *testing.T, c *Conn) nspi.Handle {
	t.Helper()
	if c.Group == 0 {
		if err := c.Bind(0); err != nil {
			t.Fatal(err)
		}
	}
	handle, code, err := c.NspiBind()
	if err != nil || code != nspi.Success {
		t.Fatalf("NspiBind: %s, %v", code, err)
	}
	return handle
}

// DialFrom connects a machine to NSPI on server, where the endpoint mapper there says, from local if that is valid. The
// connection ends with the test.
func DialFrom(t *testing.T, on *Machine, server, local netip.Addr) *Conn {
	t.Helper()
	port, err := on.MapPort(server.String())
	if err != nil {
		t.Fatalf("%s asks %s: %v", on.Name, server, err)
	}
	conn, err := on.Dial(netip.AddrPortFrom(server, port).String(), local)
	if err != nil {
		t.Fatalf("%s connects to %s: %v", on.Name, server, err)
	}
	t.Cleanup(func() { conn.Close() })
	return NewConn(conn)
}

// EndsOf are both ends of a connection, as the client has them.
func EndsOf(c *Conn) simdc.Peer {
	return simdc.Peer{
		Client: c.TCP.LocalAddr().(*net.TCPAddr).AddrPort(), Server: c.TCP.RemoteAddr().(*net.TCPAddr).AddrPort(),
	}
}
