package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// maxAnswer bounds each answer of a server, in bytes. Those that a probe asks
// for have a few hundred, a list of the endpoint mapper some thousand.
const maxAnswer = 64 << 10

// findPort asks the endpoint mapper.
func (p *prober) findPort(ctx context.Context) (Outcome, bool) {
	c, outcome, ok := p.tcp(ctx, StepEPMConnect, p.target.EPMPort)
	if !ok {
		return outcome, false
	}
	defer c.Close()
	begin := time.Now()
	var port uint16
	var ports int
	err := c.Within(ctx, func() (err error) {
		port, ports, err = mapNSPI(c)
		return err
	})
	if err != nil {
		return p.failed(StepMap, time.Since(begin), err), false
	}
	p.report.NSPIPort = port
	detail := fmt.Sprintf("NSPI on port %d", port)
	if ports > 1 {
		detail += fmt.Sprintf(", the first of %d", ports)
	}
	p.passed(StepMap, time.Since(begin), detail)
	return "", true
}

// tcp connects as a step, and stays with the address that answered.
func (p *prober) tcp(ctx context.Context, step string, port uint16) (*client.Conn, Outcome, bool) {
	begin := time.Now()
	c, err := p.dial(ctx, port)
	if err != nil {
		p.failed(step, time.Since(begin), err)
		return nil, OutcomeUnreachable, false
	}
	remote := c.TCP.RemoteAddr().(*net.TCPAddr)
	p.host = remote.AddrPort().Addr().Unmap().String()
	p.report.Address = p.host
	p.passed(step, time.Since(begin), remote.String())
	return c, "", true
}

// dial connects, within ctx. The connection is closed with the probe.
func (p *prober) dial(ctx context.Context, port uint16) (*client.Conn, error) {
	var d net.Dialer
	tcp, err := d.DialContext(ctx, "tcp", net.JoinHostPort(p.host, strconv.Itoa(int(port))))
	if err != nil {
		return nil, err
	}
	c := client.New(tcp.(*net.TCPConn))
	c.MaxAnswer = maxAnswer
	p.conns = append(p.conns, c)
	return c, nil
}

// connect binds to NSPI.
func (p *prober) connect(ctx context.Context) (*client.Conn, Outcome, bool) {
	c, outcome, ok := p.tcp(ctx, StepNSPIConnect, p.report.NSPIPort)
	if !ok {
		return nil, outcome, false
	}
	begin := time.Now()
	if err := p.prepare(ctx); err != nil {
		p.failed(StepCredentials, time.Since(begin), err)
		return nil, OutcomeNotProbed, false
	}
	if p.login.kerberos != nil {
		begin = time.Now()
		if err := p.ticket(ctx); err != nil {
			p.failed(StepTicket, time.Since(begin), err)
			return nil, OutcomeAuthFailed, false
		}
		p.passed(StepTicket, time.Since(begin), "")
	}
	begin = time.Now()
	if err := p.bindRPC(ctx, c, 0); err != nil {
		return nil, p.notLetIn(StepRPCBind, time.Since(begin), err), false
	}
	p.passed(StepRPCBind, time.Since(begin), "")
	return c, "", true
}

// prepare reads the credentials, and finds out what they are for.
func (p *prober) prepare(ctx context.Context) (err error) {
	if err := p.target.resolveSPN(ctx); err != nil {
		return err
	}
	p.report.SPN = clean(p.target.SPN)
	p.login, err = p.target.login()
	return err
}

// ticket asks the KDC.
func (p *prober) ticket(ctx context.Context) (err error) {
	p.login.security.Ticket, err = p.login.kerberos.Ticket(ctx, p.target.SPN)
	return err
}

// bindRPC binds to NSPI in the association group, or in a new one for 0.
func (p *prober) bindRPC(ctx context.Context, c *client.Conn, group uint32) error {
	return c.Within(ctx, func() error { return c.Bind(client.Options{Security: p.login.context(), Group: group}) })
}

// notLetIn adds a failed step of those in which a server judges the user. NTLM
// as such is judged with the first call only.
func (p *prober) notLetIn(step string, took time.Duration, err error) Outcome {
	outcome := p.failed(step, took, err)
	if p.target.authenticated() && isAuthError(err) {
		return OutcomeAuthFailed
	}
	return outcome
}

func (p *prober) bind(ctx context.Context, c *client.Conn) (h nspi.Handle, err error) {
	err = c.Within(ctx, func() (err error) {
		h, err = c.NspiBind()
		return err
	})
	return h, err
}

// refused tells what a failure of NspiBind means.
func (p *prober) refused(took time.Duration, err error) Outcome {
	if !client.IsCode(err, nspi.LogonFailed) {
		return p.notLetIn(StepBind, took, err)
	}
	if p.target.authenticated() {
		p.failed(StepBind, took, err)
		return OutcomeRefusedLimit
	}
	p.passed(StepBind, took, err.Error()+", as it should be")
	return OutcomeAnonymousRefused
}

// query counts the entries of the address book. The error says that NSPI has not
// answered; a failure that it returned is no error but an outcome.
func (p *prober) query(ctx context.Context, c *client.Conn, session nspi.Handle) (Outcome, error) {
	begin := time.Now()
	err := c.Within(ctx, func() (err error) {
		p.report.Entries, err = c.NspiUpdateStat(session)
		return err
	})
	var code *client.CodeError
	p.report.Answered = err == nil || errors.As(err, &code)
	if err == nil {
		p.passed(StepQuery, time.Since(begin), fmt.Sprintf("%d entries", p.report.Entries))
		return OutcomeOK, nil
	}
	outcome := p.failed(StepQuery, time.Since(begin), err)
	if p.report.Answered {
		return outcome, nil
	}
	return outcome, err
}
