package client

import (
	"bytes"
	"net"
	"net/netip"
	"time"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// Conn is a connection. Its fields may be set between calls. It belongs to one
// goroutine; Close may be called from any.
type Conn struct {
	TCP       *net.TCPConn   // nil if it was made of something else
	Order     rpcparse.Order // of the PDUs that it sends, but for requests in NDR64
	Timeout   time.Duration  // of each read and write outside of Within; 0: DefaultTimeout
	MaxAnswer int            // bytes of PDUs; 0: DefaultMaxAnswer

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

	headerSigning bool // was agreed on

	inFlight callsInFlight

	stream  stream
	bounded bool // Within bounds reads and writes
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
	c := newConn(tcp)
	c.TCP = tcp
	return c
}

func newConn(conn net.Conn) *Conn {
	return &Conn{
		MaxFragment: rpcparse.DefaultFragment,
		contexts:    make(map[uint16]rpcparse.ContextElement),
		security:    make(map[uint32]*Security),
		inFlight:    callsInFlight{byID: make(map[uint32]*call)},
		stream:      stream{conn: conn, framer: rpcparse.Framer{Dir: rpcparse.ServerToClient}},
	}
}

// Close closes the connection in an orderly way.
func (c *Conn) Close() { c.stream.conn.Close() }

// Reset closes the connection by RST.
func (c *Conn) Reset() {
	_ = c.TCP.SetLinger(0) // fails only on a closed socket
	c.TCP.Close()
}

// Local returns the client's end.
func (c *Conn) Local() netip.AddrPort { return c.TCP.LocalAddr().(*net.TCPAddr).AddrPort() }

// NextCallID returns a call id that was not used before.
func (c *Conn) NextCallID() uint32 {
	c.inFlight.lastID++
	return c.inFlight.lastID
}

// Write writes bytes, in one write: whole PDUs, or what a test likes.
func (c *Conn) Write(b []byte) error {
	if !c.bounded {
		if err := c.stream.conn.SetWriteDeadline(c.deadline()); err != nil {
			return err
		}
	}
	_, err := c.stream.conn.Write(b)
	return err
}

// ReadPDU reads the next PDU as it is on the wire. The caller owns it. The end
// of the connection is io.EOF.
func (c *Conn) ReadPDU() ([]byte, rpcparse.Header, error) {
	pdu, h, err := c.NextPDU()
	return bytes.Clone(pdu), h, err
}

// NextPDU is ReadPDU without a copy: the PDU is valid until the next read.
func (c *Conn) NextPDU() ([]byte, rpcparse.Header, error) {
	for {
		pdu, h, err := c.stream.buffered()
		if pdu != nil || err != nil {
			return pdu, h, err
		}
		if !c.bounded {
			if err := c.stream.conn.SetReadDeadline(c.deadline()); err != nil {
				return nil, h, err
			}
		}
		if err := c.stream.read(); err != nil {
			return nil, h, err
		}
	}
}

// Release gives the read buffer back; the next read has a new one.
func (c *Conn) Release() { c.stream.release() }

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
