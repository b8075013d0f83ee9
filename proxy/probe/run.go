package probe

import (
	"context"
	"time"

	"github.com/nspiproxy/nspiproxy/proxy/client"
)

// Run probes t within ctx and t.Timeout, and UnbindTime for closing the session.
// It returns no error: all that can be known is in the report. When it returns,
// every connection is closed and no goroutine remains.
func Run(ctx context.Context, t Target) Report {
	t = t.withDefaults()
	p := &prober{target: t, begun: time.Now(), host: t.Address}
	p.report = Report{Target: clean(t.Address), Auth: t.Auth, SPN: clean(t.SPN), NSPIPort: t.NSPIPort}
	if t.authenticated() {
		p.report.Level = t.Level
	}
	ctx, cancel := context.WithTimeout(ctx, t.Timeout)
	defer cancel()
	defer p.close()
	p.report.Outcome = p.run(ctx)
	p.report.Duration = time.Since(p.begun)
	return p.report
}

// prober is a probe under way.
type prober struct {
	target Target
	begun  time.Time
	report Report
	login  login
	host   string         // what to connect to: the same address throughout
	conns  []*client.Conn // to be closed at the end
}

// close ends the connections. A session in their association ends with the last.
func (p *prober) close() {
	for _, c := range p.conns {
		c.Close()
	}
}

// run goes through the steps. TCP comes first, so that whether the domain
// controller can be reached is known whatever ails the rest.
func (p *prober) run(ctx context.Context) Outcome {
	if err := p.target.check(); err != nil {
		p.failed(StepCredentials, 0, err)
		return OutcomeNotProbed
	}
	if p.report.NSPIPort == 0 {
		if outcome, ok := p.findPort(ctx); !ok {
			return outcome
		}
	}
	c, outcome, ok := p.connect(ctx)
	if !ok {
		return outcome
	}
	begin := time.Now()
	session, err := p.bind(ctx, c)
	if err != nil {
		return p.refused(time.Since(begin), err)
	}
	p.passed(StepBind, time.Since(begin), "")
	outcome, lost := p.query(ctx, c, session)
	if unbound := p.unbind(ctx, c, session, lost); !unbound && outcome == OutcomeOK {
		outcome = OutcomeFailed
	}
	return outcome
}

// passed adds a good step.
func (p *prober) passed(name string, took time.Duration, detail string) {
	p.report.Steps = append(p.report.Steps, Step{Name: name, Duration: took, Detail: clean(detail)})
}

// failed adds a failed step. The first one names the report's error.
func (p *prober) failed(name string, took time.Duration, err error) Outcome {
	text := clean(p.explain(err))
	p.report.Steps = append(p.report.Steps, Step{Name: name, Duration: took, Err: text})
	if p.report.Err == "" {
		p.report.Err = name + ": " + text
	}
	return OutcomeFailed
}
