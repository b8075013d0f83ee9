package client

import (
	"net"
	"net/netip"
	"time"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// DefaultTimeout bounds every connect, read and write of a Conn.
const DefaultTimeout = 10 * time.Second

// Conn is a connection. Its fields may be set between calls.
type Conn struct {
	TCP     *net.TCPConn
	Order   rpcparse.Order // of the PDUs that it sends, but for requests in NDR64
	Timeout time.Duration  // 0: DefaultTimeout

	// What calls use that do not say otherwise.
	ContextID uint16
	Security  *Security // nil: none

	// What the server told when it was bound to.
	Group       uint32 // the association
	MaxFragment int    // bytes; of the requests that it sends
	Multiplexed bool
	LastAck     rpcparse.BindAck // of the latest bind_ack or alter_context_resp; its slices are valid

	// Answered lists the calls in the order in which their answers ended.
	Answered []uint32

	contexts map[uint16]rpcparse.ContextElement // accepted, with the one transfer syntax in force
	security map[uint32]*Security
	lastCall uint32
	answers  map[uint32]*answer

	framer rpcparse.Framer
	buf    []byte // read and not yet consumed
}

// Connect opens a TCP connection without any RPC on it. local may be the zero
// Addr.
func Connect(addr string, local netip.Addr) (*Conn, error) {
	d := net.Dialer{Timeout: DefaultTimeout}
	if local.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(local, 0))
	}
	tcp, err := d.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return New(tcp.(*net.TCPConn)), nil
}

// New makes a Conn of a TCP connection, which is its own from now on.
func New(tcp *net.TCPConn) *Conn {
	return &Conn{
		TCP:         tcp,
		MaxFragment: rpcparse.DefaultFragment,
		contexts:    make(map[uint16]rpcparse.ContextElement),
		security:    make(map[uint32]*Security),
		answers:     make(map[uint32]*answer),
		framer:      rpcparse.Framer{Dir: rpcparse.ServerToClient},
	}
}

// Close closes the connection in an orderly way.
func (c *Conn) Close() { c.TCP.Close() }

// Reset closes the connection by RST.
func (c *Conn) Reset() {
	_ = c.TCP.SetLinger(0) // fails only on a closed socket
	c.TCP.Close()
}

// Local returns the client's end.
func (c *Conn) Local() netip.AddrPort { return c.TCP.LocalAddr().(*net.TCPAddr).AddrPort() }

// NextCallID returns a call id that was not used before.
func (c *Conn) NextCallID() uint32 {
	c.lastCall++
	return c.lastCall
}

// Write writes bytes, in one write: whole PDUs, or what a test likes.
func (c *Conn) Write(b []byte) error {
	if err := c.TCP.SetWriteDeadline(c.deadline()); err != nil {
		return err
	}
	_, err := c.TCP.Write(b)
	return err
}

// ReadPDU reads the next PDU as it is on the wire. The caller owns it. The end
// of the connection is io.EOF.
func (c *Conn) ReadPDU() ([]byte, rpcparse.Header, error) {
	for {
		pdu, h, err := c.framer.Next(c.buf)
		if err != nil {
			return nil, h, err
		}
		if pdu != nil {
			c.buf = c.buf[len(pdu):]
			return pdu, h, nil
		}
		if err := c.fill(); err != nil {
			return nil, h, err
		}
	}
}

// readSize is how much room a read is given, in bytes. Idle connections keep
// it, and tests open thousands.
const readSize = 8192

// fill reads once. The buffer moves, so that PDUs handed out stay as they are.
func (c *Conn) fill() error {
	if err := c.TCP.SetReadDeadline(c.deadline()); err != nil {
		return err
	}
	buf := make([]byte, len(c.buf)+readSize)
	n := copy(buf, c.buf)
	m, err := c.TCP.Read(buf[n:])
	c.buf = buf[:n+m]
	if m > 0 {
		return nil
	}
	return err
}

func (c *Conn) deadline() time.Time {
	if c.Timeout == 0 {
		return time.Now().Add(DefaultTimeout)
	}
	return time.Now().Add(c.Timeout)
}

// header starts a whole PDU.
func (c *Conn) header(t rpcparse.PType, callID uint32) rpcparse.Header {
	return rpcparse.Header{Type: t, Flags: rpcparse.FlagsWhole, Drep: rpcparse.DrepOf(c.Order), CallID: callID}
}
