package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/tower"
)

// Mapper is a standing connection to an endpoint mapper, bound without security
// in NDR, which every endpoint mapper takes (handbook 6.1, 6.3).
//
// One that failed in any way but [ErrNotRegistered] and [StatusError], which are answers,
// has lost its place in the stream or its belief in the server: it is closed, and every
// later call says so. One goroutine uses it; Close may be called from any.
type Mapper struct {
	conn   *Conn
	closed atomic.Bool
}

// DialMapper connects to the endpoint mapper at addr and binds. An error leaves
// no connection behind. One of connecting is a [net.OpError] with Op "dial".
func DialMapper(ctx context.Context, addr netip.AddrPort) (*Mapper, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, DefaultTimeout)
		defer cancel()
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr.String())
	if err != nil {
		return nil, fmt.Errorf("epm: %w", err)
	}
	m := newMapper(conn)
	if err := m.bind(ctx); err != nil {
		return nil, err
	}
	return m, nil
}

// newMapper makes a mapper of a connection that is not bound yet.
func newMapper(conn net.Conn) *Mapper {
	c := newConn(conn)
	c.MaxAnswer = maxMapperAnswer
	c.stream.framer.Limits = rpcparse.Limits{MaxFragment: rpcparse.DefaultFragment}
	return &Mapper{conn: c}
}

func (m *Mapper) bind(ctx context.Context) error {
	return m.ended(m.conn.Within(ctx, func() error {
		o := MapperOptions()
		o.NoMultiplexing = true
		return m.conn.Bind(o)
	}))
}

// Close ends the connection and whatever waits for it. It may be called twice.
func (m *Mapper) Close() {
	m.closed.Store(true)
	m.conn.Close()
}

// Map returns the TCP ports on which the interface listens, each once, in
// ascending order: at least one, or an error. Addresses in the answer are
// ignored, as clients must (MS-RPCE 3.1.3.5.3). The caller owns the slice.
func (m *Mapper) Map(ctx context.Context, iface rpcparse.SyntaxID) (ports []uint16, err error) {
	if m.closed.Load() {
		return nil, ErrClosed
	}
	err = m.ended(m.conn.Within(ctx, func() (err error) {
		if err = m.silent(); err == nil {
			ports, err = m.ports(iface)
		}
		return err
	}))
	return ports, err
}

// ports collects the ports of the interface, of the same major version.
func (m *Mapper) ports(iface rpcparse.SyntaxID) (ports []uint16, err error) {
	all, err := m.conn.mapAll(iface, towersPerCall, maxMapperRounds)
	if err != nil {
		return nil, err
	}
	for _, e := range all {
		if e.Protocol == tower.ProtocolTCP && e.Port != 0 && e.Interface.UUID == iface.UUID && e.Interface.Major() == iface.Major() {
			ports = append(ports, e.Port)
		}
	}
	slices.Sort(ports)
	ports = slices.Compact(ports)
	if len(ports) == 0 {
		return nil, ErrNotRegistered
	}
	if len(ports) > maxPorts {
		return nil, limitf("%d ports of one interface, at most %d", len(ports), maxPorts)
	}
	return ports, nil
}

// Idle waits for d and returns nil, or earlier with the error if the connection
// ends or the server says something without being asked. It returns the cause
// of ctx when that ends first.
func (m *Mapper) Idle(ctx context.Context, d time.Duration) error {
	if m.closed.Load() {
		return ErrClosed
	}
	return m.ended(m.conn.until(ctx, time.Now().Add(d), m.silence))
}

// silence waits for the read deadline. Only the server's silence is no error.
func (m *Mapper) silence() error {
	if err := m.silent(); err != nil {
		return err
	}
	err := m.conn.stream.read()
	if err == nil {
		return m.silent()
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}

// silent fails if there are bytes that nothing has asked for.
func (m *Mapper) silent() error {
	if n := m.conn.stream.unread(); n > 0 {
		return protocolf("%d bytes that nothing asked for", n)
	}
	return nil
}

// ended closes the connection after an error of the connection. A status is an answer.
func (m *Mapper) ended(err error) error {
	var status *StatusError
	if err == nil || errors.Is(err, ErrNotRegistered) || errors.As(err, &status) {
		return err
	}
	m.Close()
	return fmt.Errorf("epm: %w", err)
}
