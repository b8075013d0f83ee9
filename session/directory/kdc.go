package directory

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
)

// maxKDCReply is the largest message of a KDC that is read, in bytes. Tickets of
// accounts in very many groups are of 64 KiB at most, and a reply holds one.
const maxKDCReply = 256 << 10

// kdcDialer connects to KDCs within a context, which the Kerberos library does
// not know.
type kdcDialer struct{ ctx context.Context }

// Dial implements client.KDCDialer.
func (d kdcDialer) Dial(network, address string) (net.Conn, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(d.ctx, network, address)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(d.ctx, func() { conn.Close() })
	return &kdcConn{Conn: conn, stop: stop}, nil
}

// kdcConn is a TCP connection to a KDC for one exchange. The Kerberos library
// reads the length of the reply (RFC 4120 7.2.2) in one Read, which may return
// less, and then allocates as much as it says: so it is read whole and checked
// here.
type kdcConn struct {
	net.Conn
	stop    func() bool
	checked bool // the length was
}

// Read returns the length of the reply first, and alone.
func (c *kdcConn) Read(b []byte) (int, error) {
	const size = 4
	if c.checked || len(b) < size {
		return c.Conn.Read(b)
	}
	n, err := io.ReadFull(c.Conn, b[:size])
	if err != nil {
		return n, err
	}
	if length := binary.BigEndian.Uint32(b); length > maxKDCReply {
		return 0, fmt.Errorf("the KDC announces %d bytes, at most %d", length, maxKDCReply)
	}
	c.checked = true
	return size, nil
}

// Close ends the connection.
func (c *kdcConn) Close() error {
	c.stop()
	return c.Conn.Close()
}
