package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/oiweiwei/go-msrpc/dcerpc"
	"github.com/oiweiwei/go-msrpc/midl/uuid"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// client is a bound RPC connection of go-msrpc.
type client struct {
	guard *guard
	conn  dcerpc.Conn
	end   context.CancelFunc // of go-msrpc's goroutines
}

// programDeadline is go-msrpc's own limit for each step of its goroutines. Its
// defaults of some seconds are not ours: what takes too long is ended by the
// contexts of the probe, and by the end of the connection.
const programDeadline = time.Hour

// dial connects, within ctx.
func dial(ctx context.Context, host string, port uint16) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(int(port))))
}

// handOver is a dialer of one connection that is there already.
type handOver struct{ conn net.Conn }

// DialContext implements dcerpc.Dialer.
func (h handOver) DialContext(context.Context, string, string) (net.Conn, error) { return h.conn, nil }

// bindRPC binds to an interface on a connection, which is its from now on: in
// the association group, or a new one for 0. An error leaves the client to be
// closed.
func bindRPC(ctx context.Context, tcp net.Conn, iface rpcparse.SyntaxID, s security, group uint32) (*client, error) {
	// What go-msrpc derives from the context of its bind lives as long as that, and
	// NspiUnbind must be possible when ctx has ended.
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	c := &client{guard: newGuard(tcp, s.protects()), end: end}
	addr := tcp.RemoteAddr().(*net.TCPAddr)
	options := append([]dcerpc.Option{
		dcerpc.WithEndpoint(fmt.Sprintf("ncacn_ip_tcp:[%d]", addr.Port)),
		dcerpc.WithAbstractSyntax(syntax(iface)),
	}, s.options...)
	conn, err := isolate(ctx, func() (dcerpc.Conn, error) {
		t, err := dcerpc.Dial(life, addr.IP.String(), dcerpc.WithDialer(handOver{c.guard}),
			dcerpc.WithFragmentSize(rpcparse.DefaultFragment), dcerpc.WithGroupID(int(group)),
			dcerpc.WithTimeout(programDeadline), dcerpc.ConnectOption(func(t *dcerpc.Transport) { t.Deadline = programDeadline }))
		if err != nil {
			return nil, err
		}
		return t.Bind(life, options...)
	})
	c.conn = conn
	return c, c.reason(ctx, err)
}

// syntax is id in go-msrpc's words.
func syntax(id rpcparse.SyntaxID) *dcerpc.SyntaxID {
	u, err := uuid.Parse(id.UUID.String())
	if err != nil {
		panic(err) // it is one of two that are known
	}
	return &dcerpc.SyntaxID{IfUUID: u, IfVersionMajor: uint16(id.Version), IfVersionMinor: uint16(id.Version >> 16)}
}

// call runs x and returns the stub of the answer, which has one of the lengths
// that x allows.
func (c *client) call(ctx context.Context, x call) ([]byte, error) {
	o := &operation{call: x, size: c.guard.stubLength, answer: make(chan []byte, 1)}
	c.guard.expect(x.answers)
	_, err := isolate(ctx, func() (struct{}, error) { return struct{}{}, c.conn.Invoke(ctx, o) })
	if err = c.reason(ctx, err); err != nil {
		return nil, err
	}
	select {
	case stub := <-o.answer:
		return stub, nil
	default:
		return nil, errors.New("the RPC library has lost the answer")
	}
}

// reason returns why something failed, from who knows best: the guard, the
// context, go-msrpc.
func (c *client) reason(ctx context.Context, err error) error {
	if seen := c.guard.failure(); seen != nil {
		return seen
	}
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// close ends the connection. A session in its association ends with it, if it
// is the last.
func (c *client) close() {
	c.end()
	c.guard.release()
}
