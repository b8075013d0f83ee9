package probe

import (
	"context"
	"errors"
	"io"
	"net"
	"time"

	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// UnbindTime is how long closing the session may take after everything else has
// taken its time: a few round trips, or a new connection with its handshake.
const UnbindTime = 2 * time.Second

// unbind closes the session, within a time of its own, and reports whether it is
// closed. lost is the error if the query was not answered: its connection may be
// in the midst of a PDU, or of a sequence of signatures.
func (p *prober) unbind(ctx context.Context, c *client.Conn, session nspi.Handle, lost error) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), UnbindTime)
	defer cancel()
	begin := time.Now()
	detail := ""
	var err error
	if lost == nil {
		err = unbindOn(ctx, c, session)
	} else {
		detail = "on a second connection of the association"
		err = p.unbindElsewhere(ctx, c.Group, session, lost)
	}
	if err != nil {
		p.failed(StepUnbind, time.Since(begin), err)
		return false
	}
	p.passed(StepUnbind, time.Since(begin), detail)
	return true
}

func unbindOn(ctx context.Context, c *client.Conn, session nspi.Handle) error {
	return c.Within(ctx, func() error { return c.NspiUnbind(session) })
}

// unbindElsewhere closes the session on a connection that joins the association.
func (p *prober) unbindElsewhere(ctx context.Context, group uint32, session nspi.Handle, lost error) error {
	var network *net.OpError
	if errors.Is(lost, io.EOF) || errors.As(lost, &network) {
		return errors.New("not needed: the server has ended the connection, and with it the session")
	}
	c, err := p.dial(ctx, p.report.NSPIPort)
	if err != nil {
		return err
	}
	if err := p.bindRPC(ctx, c, group); err != nil {
		return err
	}
	return unbindOn(ctx, c, session)
}
