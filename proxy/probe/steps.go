package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/tower"
)

// findPort asks the endpoint mapper.
func (p *prober) findPort(ctx context.Context) (Outcome, bool) {
	tcp, outcome, ok := p.tcp(ctx, StepEPMConnect, p.target.EPMPort)
	if !ok {
		return outcome, false
	}
	begin := time.Now()
	port, ports, err := p.mapPort(ctx, tcp)
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

func (p *prober) mapPort(ctx context.Context, tcp net.Conn) (port uint16, ports int, err error) {
	x, err := mapCall()
	if err != nil {
		return 0, 0, err
	}
	c, err := bindRPC(ctx, tcp, tower.EPMInterface, unprotected(), 0)
	defer c.close()
	if err != nil {
		return 0, 0, err
	}
	stub, err := c.call(ctx, x)
	if err != nil {
		return 0, 0, err
	}
	return parseMap(stub)
}

// tcp connects as a step, and stays with the address that answered.
func (p *prober) tcp(ctx context.Context, step string, port uint16) (net.Conn, Outcome, bool) {
	begin := time.Now()
	conn, err := dial(ctx, p.host, port)
	if err != nil {
		p.failed(step, time.Since(begin), err)
		return nil, OutcomeUnreachable, false
	}
	remote := conn.RemoteAddr().(*net.TCPAddr)
	p.host = remote.AddrPort().Addr().Unmap().String()
	p.report.Address = p.host
	p.passed(step, time.Since(begin), remote.String())
	return conn, "", true
}

// connect binds to NSPI.
func (p *prober) connect(ctx context.Context) (*client, Outcome, bool) {
	tcp, outcome, ok := p.tcp(ctx, StepNSPIConnect, p.report.NSPIPort)
	if !ok {
		return nil, outcome, false
	}
	begin := time.Now()
	if err := p.prepare(ctx); err != nil {
		tcp.Close()
		p.failed(StepCredentials, time.Since(begin), err)
		return nil, OutcomeNotProbed, false
	}
	begin = time.Now()
	c, err := bindRPC(ctx, tcp, nspi.Interface, p.security, 0)
	p.clients = append(p.clients, c)
	if p.target.Auth == AuthKerberos {
		// Nothing is sent before the ticket is there.
		first := c.guard.firstWrite()
		if err != nil && first.IsZero() {
			p.failed(StepTicket, time.Since(begin), err)
			return nil, OutcomeAuthFailed, false
		}
		p.passed(StepTicket, first.Sub(begin), "")
		begin = first
	}
	if err != nil {
		return nil, p.notLetIn(StepRPCBind, time.Since(begin), err), false
	}
	p.passed(StepRPCBind, time.Since(begin), "")
	return c, "", true
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

func (p *prober) bind(ctx context.Context, c *client) (nspi.Handle, error) {
	stub, err := c.call(ctx, bindCall())
	if err != nil {
		return nspi.Handle{}, err
	}
	return parseBind(stub)
}

// refused tells what a failure of NspiBind means.
func (p *prober) refused(took time.Duration, err error) Outcome {
	var code *codeError
	if !errors.As(err, &code) || code.code != nspi.LogonFailed {
		return p.notLetIn(StepBind, took, err)
	}
	if p.target.authenticated() {
		p.failed(StepBind, took, err)
		return OutcomeRefusedLimit
	}
	p.passed(StepBind, took, code.Error()+", as it should be")
	return OutcomeAnonymousRefused
}

func (p *prober) query(ctx context.Context, c *client, session nspi.Handle) Outcome {
	begin := time.Now()
	stub, err := c.call(ctx, updateStatCall(session))
	if err == nil {
		p.report.Answered = true
		p.report.Entries, err = parseUpdateStat(stub)
	}
	if err != nil {
		return p.failed(StepQuery, time.Since(begin), err)
	}
	p.passed(StepQuery, time.Since(begin), fmt.Sprintf("%d entries", p.report.Entries))
	return OutcomeOK
}
