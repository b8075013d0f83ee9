package main

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/backend"
	"github.com/nspiproxy/nspiproxy/proxy/inspect"
	"github.com/nspiproxy/nspiproxy/proxy/probe"
)

// newProber returns what makes the active check that the configuration asks for.
func newProber(config *policy.Config) func(inspect.Events) backend.Prober {
	return func(events inspect.Events) backend.Prober { return checkOf(config, events) }
}

// checkOf returns the active check; nil: none.
func checkOf(config *policy.Config, events inspect.Events) backend.Prober {
	switch config.Health.Check {
	case policy.CheckNone:
		return nil
	case policy.CheckEPM:
		return recovered(backend.ProbeEPM, events)
	}
	run := func(ctx context.Context, t probe.Target) probe.Result { return probe.Run(ctx, t).Result() }
	return recovered(newNSPIProber(config, events, run).probe, events)
}

// recovered makes a panic in a check the failure of that check, with a record: a
// mistake in reading what one domain controller sends must not end the service of
// the others.
func recovered(check backend.Prober, events inspect.Events) backend.Prober {
	return func(ctx context.Context, t backend.Target) (r backend.Result) {
		defer func() {
			if p := recover(); p != nil {
				events.Report(inspect.CheckFailed{DC: t.Name, Reason: fmt.Sprint(p), Stack: string(debug.Stack())})
				r = backend.Result{Err: "the check panicked"}
			}
		}()
		return check(ctx, t)
	}
}

// maxLacking is of how many domain controllers it is remembered that they could
// not be checked, the latest: as many as are looked after at once, and more.
const maxLacking = 1024

// nspiProber checks whether NSPI serves.
type nspiProber struct {
	config *policy.Config
	events inspect.Events
	run    func(context.Context, probe.Target) probe.Result

	lacking *lru.Cache[string, string] // why the last check could not be made, as the log has it, by the domain controller's name
}

func newNSPIProber(config *policy.Config, events inspect.Events, run func(context.Context, probe.Target) probe.Result) *nspiProber {
	p := &nspiProber{config: config, events: events, run: run}
	p.lacking, _ = lru.New[string, string](maxLacking) // fails only for sizes below 1
	return p
}

// probe is a backend.Prober.
func (p *nspiProber) probe(ctx context.Context, t backend.Target) backend.Result {
	r := p.run(ctx, p.target(t))
	if !errors.Is(ctx.Err(), context.Canceled) { // else it was told to stop
		p.report(t.Name, r)
	}
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
	if b := p.config.Backend(t.ServerName); b != nil {
		return string(b.Host)
	}
	_, host, _ := strings.Cut(t.ServerName, "/")
	return host
}

// report writes why a domain controller cannot be checked, once for each reason.
func (p *nspiProber) report(dc string, r probe.Result) {
	if !r.NotProbed {
		p.lacking.Remove(dc)
		return
	}
	if before, ok := p.lacking.Get(dc); ok && before == r.Err {
		return
	}
	p.lacking.Add(dc, r.Err)
	p.events.Report(inspect.CheckFailed{DC: dc, Reason: r.Err})
}
