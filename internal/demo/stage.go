package demo

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/rs/zerolog"

	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy"
)

const (
	// defaultLimit and leakyLimit are the limits of the demonstration: the
	// default of domain controllers, and less for the account that leaks.
	defaultLimit = 50
	leakyLimit   = 20

	controllerAddress = "127.0.10.1"
	proxyAddress      = "127.0.20.1"

	// stopTimeout is how long connections may take to end at the end.
	stopTimeout = 2 * time.Second
)

// account is a user of the demonstration.
type account struct{ name, password string }

var (
	alice = account{"alice", "Al1ce-Passw0rd!"}
	leaky = account{"svc-leaky", "Svc-Passw0rd!1"}
)

// stage is what the clients act on: the domain controller and the proxy.
type stage struct {
	controller *simdc.Server
	proxy      *proxy.Server
	mapper     netip.AddrPort // the proxy's endpoint mapper
	stop       func()
}

// build starts the domain controller and the proxy. Log records of the proxy
// go to log.
func build(ctx context.Context, log zerolog.Logger) (*stage, error) {
	dc, err := simdc.Start(simdc.Config{
		Address: controllerAddress, Limit: defaultLimit,
		Users: []simdc.User{{Name: alice.name, Password: alice.password}, {Name: leaky.name, Password: leaky.password}},
	})
	if err != nil {
		return nil, fmt.Errorf("simulated domain controller: %w", err)
	}
	p, err := proxy.New(configuration(dc.EPMAddr().Port()), proxy.Options{Log: log})
	if err == nil {
		err = p.Start()
	}
	if err != nil {
		dc.Close()
		return nil, err
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() { defer close(ended); _ = p.Run(running) }()
	s := &stage{controller: dc, proxy: p, stop: func() { cancel(); <-ended; dc.Close() }}
	if s.mapper, err = p.Address("demo", dc.EPMAddr().Port()); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// configuration is what a file would say.
func configuration(mapper uint16) *policy.Config {
	c := policy.Defaults()
	c.Backends = []policy.Backend{{Name: "dc1", Address: netip.MustParseAddr(controllerAddress), EPMPort: mapper}}
	c.Listeners = []policy.Listener{{
		Name: "demo", Mode: policy.ModeForward, Address: netip.MustParseAddr(proxyAddress), Backend: "dc1", EPMPort: mapper,
	}}
	c.Policy.Default.Limit = defaultLimit
	c.Policy.Rules = []policy.RuleConfig{{
		Name: "leaky services", Match: policy.Match{Account: mustPattern(`LAB\svc-*`)}, Limit: leakyLimit,
	}}
	c.Relay.ShutdownTimeout = stopTimeout
	return &c
}

func mustPattern(s string) policy.Pattern {
	p, err := policy.ParsePattern(s)
	if err != nil {
		panic(err) // a constant
	}
	return p
}
