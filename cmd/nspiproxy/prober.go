package main

import (
	"context"
	"os"
	"strings"
	"sync"

	"github.com/rs/zerolog"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/backend"
	"github.com/nspiproxy/nspiproxy/proxy/probe"
)

// newProber returns the active check that the configuration asks for; nil: none.
// A check of NSPI runs in a process of its own, so that nothing that a domain
// controller sends can harm this one.
func newProber(config *policy.Config, log zerolog.Logger) (backend.Prober, error) {
	switch config.Health.Check {
	case policy.CheckNone:
		return nil, nil
	case policy.CheckEPM:
		return backend.ProbeEPM, nil
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &nspiProber{config: config, log: log, run: probe.Child(self)}
	return p.probe, nil
}

// nspiProber checks whether NSPI serves.
type nspiProber struct {
	config *policy.Config
	log    zerolog.Logger
	run    func(context.Context, probe.Target) probe.Result

	mu      sync.Mutex
	lacking string // why the last check could not be made, as the log has it
}

// probe is a backend.Prober.
func (p *nspiProber) probe(ctx context.Context, t backend.Target) backend.Result {
	r := p.run(ctx, p.target(t))
	p.report(r)
	if r.NotProbed {
		// An account that has expired, or a file that is not there, must not take
		// any domain controller out of service.
		return backend.Result{Reachable: true, Serving: true, Err: r.Err, Duration: r.Duration}
	}
	return backend.Result{Reachable: r.Reachable, Serving: r.Serving, Limited: r.Limited, Err: r.Err, Duration: r.Duration}
}

// target is what to probe and how.
func (p *nspiProber) target(t backend.Target) probe.Target {
	h := &p.config.Health
	target := probe.Target{
		Address: t.Addr.String(), EPMPort: t.EPMPort, NSPIPort: t.NSPIPort,
		Auth: probe.Auth(h.Auth), Timeout: h.Timeout,
	}
	if h.Auth == policy.AuthNone {
		return target
	}
	target.Level, target.User = probe.Level(h.Level), string(h.User)
	target.PasswordFile, target.Keytab, target.Krb5Conf = string(h.PasswordFile), string(h.Keytab), string(h.Krb5Conf)
	if host := p.host(t); host != "" {
		target.SPN = probe.ServiceClass + host
	}
	return target
}

// host is the DNS name of a domain controller, as the configuration or DNS has
// it; empty: unknown.
func (p *nspiProber) host(t backend.Target) string {
	if b := p.config.Backend(t.Name); b != nil {
		return string(b.Host)
	}
	_, host, _ := strings.Cut(t.Name, "/")
	return host
}

// report writes why checks cannot be made, once for each reason.
func (p *nspiProber) report(r probe.Result) {
	reason := ""
	if r.NotProbed {
		reason = r.Err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if reason == p.lacking {
		return
	}
	p.lacking = reason
	if reason != "" {
		p.log.Warn().Str("event", "health.not_checked").Str("reason", reason).Msg("domain controllers cannot be checked, and count as serving")
	}
}
