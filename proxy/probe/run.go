package probe

import (
	"context"
	"time"
)

// Run probes t within ctx and t.Timeout, and UnbindTime for closing the session.
// It neither panics nor returns an error: all that can be known is in the report.
func Run(ctx context.Context, t Target) Report {
	t = t.withDefaults()
	p := &prober{target: t, begun: time.Now(), host: t.Address}
	p.report = Report{Target: clean(t.Address), Auth: t.Auth, SPN: clean(t.SPN), NSPIPort: t.NSPIPort}
	if t.authenticated() {
		p.report.Level = t.Level
	}
	ctx, cancel := context.WithTimeout(ctx, t.Timeout)
	defer cancel()
	p.report.Outcome = p.run(ctx)
	for _, c := range p.clients {
		c.close()
	}
	p.report.Duration = time.Since(p.begun)
	return p.report
}

// prober is a probe under way.
type prober struct {
	target   Target
	begun    time.Time
	report   Report
	security security
	host     string    // what to connect to: the same address throughout
	clients  []*client // to be closed at the end
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
	outcome = p.query(ctx, c, session)
	if unbound := p.unbind(ctx, c, session); !unbound && outcome == OutcomeOK {
		outcome = OutcomeFailed
	}
	return outcome
}

// prepare reads the credentials, and finds out what they are for.
func (p *prober) prepare(ctx context.Context) error {
	if err := p.target.resolveSPN(ctx); err != nil {
		return err
	}
	p.report.SPN = clean(p.target.SPN)
	var err error
	p.security, err = p.secure(ctx)
	return err
}

func (p *prober) secure(ctx context.Context) (security, error) {
	return isolate(ctx, func() (security, error) { return p.target.security(ctx) })
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
