package directory

import (
	"errors"
	"net"
	"sync/atomic"
)

// maxAnswers bounds what a server may send from the beginning of a look-up, or of
// the connection, to that of the next, in bytes on the wire. The most is a forest
// of maxDomains with some 400 bytes each.
const maxAnswers = 2 << 20

var errTooMuch = errors.New("the server sends more than an answer can be")

// meter is a connection that a server can send no more than maxAnswers on: the
// LDAP library keeps all entries of a search until the server says that there are
// no more, and reads messages that answer no request.
type meter struct {
	net.Conn
	left atomic.Int64 // bytes
}

// refill allows the server another maxAnswers.
func (m *meter) refill() { m.left.Store(maxAnswers) }

// Read implements net.Conn.
func (m *meter) Read(b []byte) (int, error) {
	left := m.left.Load()
	if left <= 0 {
		return 0, errTooMuch
	}
	n, err := m.Conn.Read(b[:min(int64(len(b)), left)])
	m.left.Add(int64(-n))
	return n, err
}
