package probe

import (
	"context"
	"errors"
	"time"

	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// UnbindTime is how long closing the session may take after everything else has
// taken its time: a few round trips, or a new connection with its handshake.
const UnbindTime = 2 * time.Second

// unbind closes the session, within a time of its own, and reports whether it is
// closed.
func (p *prober) unbind(ctx context.Context, c *client, session nspi.Handle) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), UnbindTime)
	defer cancel()
	begin := time.Now()
	detail := ""
	var err error
	if p.report.Answered {
		err = p.unbindOn(ctx, c, session)
	} else {
		detail = "on a second connection of the association"
		err = p.unbindElsewhere(ctx, c, session)
	}
	if err != nil {
		p.failed(StepUnbind, time.Since(begin), err)
		return false
	}
	p.passed(StepUnbind, time.Since(begin), detail)
	return true
}

func (p *prober) unbindOn(ctx context.Context, c *client, session nspi.Handle) error {
	stub, err := c.call(ctx, unbindCall(session))
	if err != nil {
		return err
	}
	return parseUnbind(stub)
}

// unbindElsewhere closes the session on a connection that joins the association
// of c, which go-msrpc has given up.
func (p *prober) unbindElsewhere(ctx context.Context, c *client, session nspi.Handle) error {
	if c.guard.ended() {
		return errors.New("not needed: the server has ended the connection, and with it the session")
	}
	s, err := p.secure(ctx) // tickets are asked for within ctx
	if err != nil {
		return err
	}
	tcp, err := dial(ctx, p.host, p.report.NSPIPort)
	if err != nil {
		return err
	}
	second, err := bindRPC(ctx, tcp, nspi.Interface, s, c.guard.association())
	p.clients = append(p.clients, second)
	if err != nil {
		return err
	}
	return p.unbindOn(ctx, second, session)
}
