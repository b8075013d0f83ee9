package epm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// Client is a connection to an endpoint mapper, bound and ready for calls. One
// goroutine uses it; Close may be called from any.
type Client struct {
	stream stream
	callID uint32 // of the latest PDU sent
	closed atomic.Bool
}

// Dial connects to the endpoint mapper at addr and binds. An error leaves no
// connection behind. One of connecting is a [net.OpError] with Op "dial".
func Dial(ctx context.Context, addr netip.AddrPort) (*Client, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr.String())
	if err != nil {
		return nil, fmt.Errorf("epm: %w", err)
	}
	c := newClient(conn)
	if err := c.within(ctx, c.bind); err != nil {
		return nil, err
	}
	return c, nil
}

// newClient makes a client of a connection that is not bound yet.
func newClient(conn net.Conn) *Client {
	c := &Client{}
	c.stream.conn = conn
	c.stream.framer = rpcparse.Framer{
		Dir:    rpcparse.ServerToClient,
		Limits: rpcparse.Limits{MaxFragment: maxPDU, MaxBind: maxPDU},
	}
	return c
}

// Close ends the connection and whatever waits for it. It may be called twice.
func (c *Client) Close() {
	c.closed.Store(true)
	c.stream.conn.Close()
}

// Idle waits for d and returns nil, or earlier with the error if the connection
// ends or the server says something without being asked. It returns the cause
// of ctx when that ends first.
func (c *Client) Idle(ctx context.Context, d time.Duration) error {
	return c.guarded(ctx, time.Now().Add(d), c.stream.silence)
}

// bounded gives ctx a deadline if it has none.
func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, DefaultTimeout)
}

// within runs f, which reads and writes, until ctx ends.
func (c *Client) within(ctx context.Context, f func() error) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	deadline, _ := ctx.Deadline()
	return c.guarded(ctx, deadline, f)
}

// guarded runs f with all reads and writes bounded by deadline and by the end
// of ctx, and closes the connection if f fails.
func (c *Client) guarded(ctx context.Context, deadline time.Time, f func() error) error {
	if c.closed.Load() {
		return ErrClosed
	}
	err := c.stream.conn.SetDeadline(deadline)
	if err == nil {
		// In the past, so that what waits now returns at once.
		stop := context.AfterFunc(ctx, func() { _ = c.stream.conn.SetDeadline(time.Unix(1, 0)) })
		err = f()
		stop()
	}
	if cause := context.Cause(ctx); cause != nil {
		// Whatever f returned: the deadline in the past may be set at any time now.
		c.Close()
		return fmt.Errorf("epm: %w", cause)
	}
	if err != nil && !errors.Is(err, ErrNotRegistered) {
		c.Close()
	}
	return err
}
