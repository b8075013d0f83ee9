package client

import (
	"context"
	"time"
)

// past is a deadline that ends every wait at once.
var past = time.Unix(1, 0)

// Within runs f, and with it what f does on c, until ctx ends: what f waits for
// fails then, and the error is the cause of ctx. A context without a deadline
// gets one after DefaultTimeout. The connection stays open, but perhaps in the
// midst of a PDU.
func (c *Conn) Within(ctx context.Context, f func() error) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, DefaultTimeout)
		defer cancel()
	}
	return c.until(ctx, time.Time{}, f)
}

// until runs f with all reads and writes bounded by deadline and by the end of
// ctx, and by nothing else.
func (c *Conn) until(ctx context.Context, deadline time.Time, f func() error) error {
	err := context.Cause(ctx)
	if err == nil {
		err = c.stream.conn.SetDeadline(deadline)
	}
	if err != nil {
		return err
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = c.stream.conn.SetDeadline(past)
		close(ended)
	})
	c.bounded = true
	err = f()
	c.bounded = false
	if !stop() {
		<-ended // or it would end what is done next
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause // whatever f returned: the end of ctx may be what f has seen
	}
	return err
}
