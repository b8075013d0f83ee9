package lab

import (
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// ProxyOptions says what to start in front of a domain controller.
type ProxyOptions struct {
	On           *Machine // where to run it
	OrdinaryUser bool     // as a user without any right but to the network: see [OrdinaryFolder]
	Folder       string   // where it finds its state of an earlier run; default: a new OrdinaryFolder

	Front  string // the proxy's own address. Default: that of On. Without On, one in 127.0.20.0/24; /metrics is there, too
	DC     *DC
	Samba  *Samba // instead of DC
	Limit  int    // sessions per user
	Name   string // the referral_name of the listener, unless Listeners says otherwise; empty: none
	Policy string // further keys of the configuration's policy section, indented by two
	Relay  string // keys of its relay section, indented by two
	More   string // further sections. Without one named health there are no active checks: what a domain controller counts is clients'

	// Sections listeners and backends, instead of those for one listener "front" in mode forward on Front, before DC or Samba.
	Listeners string
	// Config is the whole configuration, instead of all that is above but where and as whom it runs. Its log is one of JSON, and
	// its metrics are where the others' are.
	Config string
}

// Proxy is a running "nspiproxy serve". It ends with the test, in order, and must do so without an error, a data race
// or a slot that is held although nobody is connected any more.
type Proxy struct {
	*Process
	Front   string
	on      *Machine
	metrics string // URL
}

const (
	metricsPort = 9135
	readyTime   = 20 * time.Second
	// StopTime is how long a proxy may take to stop: longer than the configured
	// shutdown_timeout.
	StopTime   = 40 * time.Second
	scrapeTime = 20 * time.Second
)

// StartProxy starts nspiproxy serve and returns when it accepts connections.
func StartProxy(t testing.TB, o ProxyOptions) *Proxy {
	t.Helper()
	if o.Folder == "" {
		o.Folder = OrdinaryFolder(t)
	}
	if o.Front == "" && o.On != nil {
		o.Front = o.On.Address.String()
	}
	p := &Proxy{Front: o.Front, on: o.On, metrics: "http://" + o.metricsAddress() + "/metrics"}
	p.Process = start(t, "nspiproxy", o.command(t))
	t.Cleanup(func() { p.end(t) })
	Eventually(t, readyTime, "nspiproxy serves", func() bool {
		if p.Ended() {
			t.Fatalf("nspiproxy ended at its start:\n%s", strings.Join(p.Out.All(), "\n"))
		}
		return slices.ContainsFunc(p.Log(), func(r Record) bool { return r["event"] == "ready" })
	})
	return p
}

// File is the configuration.
func (o ProxyOptions) File() string { return filepath.Join(o.Folder, "nspiproxy.yaml") }

func (o ProxyOptions) command(t testing.TB) *exec.Cmd {
	t.Helper()
	WritePrivate(t, o.File(), []byte(o.yaml()))
	line := []string{Program(t), "serve", "--config", o.File()}
	if o.OrdinaryUser {
		line = asOrdinaryUser(line)
	}
	return o.On.command(line[0], line[1:]...)
}

func (o ProxyOptions) listeners() string {
	if o.Listeners != "" {
		return o.Listeners
	}
	return fmt.Sprintf(`listeners:
  - {name: front, mode: forward, address: '%s', backend: dc%s}
backends:
  - {name: dc, address: '%s'}
`, o.Front, o.referralName(), o.server())
}

func (o ProxyOptions) server() string {
	if o.Samba != nil {
		return o.Samba.Address
	}
	return o.DC.Address
}

// metricsAddress is on a loopback interface: metrics have no authentication.
func (o ProxyOptions) metricsAddress() string {
	if o.On != nil {
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(metricsPort))
	}
	return net.JoinHostPort(o.Front, strconv.Itoa(metricsPort))
}

func (o ProxyOptions) yaml() string {
	if o.Config != "" {
		return o.Config
	}
	relay := o.Relay
	relay += fmt.Sprintf("\n  connections_file: '%s'", filepath.Join(o.Folder, "connections"))
	if !strings.Contains(relay, "shutdown_timeout:") {
		relay += "\n  shutdown_timeout: 20s"
	}
	if !strings.Contains(o.More, "health:") {
		o.More += "health: {check: none}\n"
	}
	return fmt.Sprintf(`version: 1
%s
policy:
  default: {limit: %d}
%s
relay:
%s
metrics: {address: '%s'}
log: {level: info, format: json}
%s
`, o.listeners(), o.Limit, o.Policy, relay, o.metricsAddress(), o.More)
}

func (o ProxyOptions) referralName() string {
	if o.Name == "" {
		return ""
	}
	return ", referral_name: " + o.Name
}

// end stops the proxy if the test has not done so, and looks for what must not be.
func (p *Proxy) end(t testing.TB) {
	if !p.Ended() {
		if code := p.Stop(t, StopTime); code != 0 {
			t.Errorf("nspiproxy ended with exit code %d", code)
		}
	}
	for _, line := range p.Out.All() {
		if strings.Contains(line, "DATA RACE") || strings.HasPrefix(line, "panic:") || strings.HasPrefix(line, "fatal error:") {
			t.Errorf("nspiproxy: %s", line)
		}
	}
}

// Metrics scrapes the proxy once.
func (p *Proxy) Metrics(t testing.TB) Metrics {
	t.Helper()
	m, err := p.scrape()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (p *Proxy) scrape() (Metrics, error) {
	r, err := p.on.http(scrapeTime).Get(p.metrics)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: %s", p.metrics, r.Status)
	}
	return readMetrics(r.Body), nil
}

// NSPI returns the proxy's address for NSPI: its own one, on the port that its endpoint mapper names.
func (p *Proxy) NSPI(t testing.TB) string {
	t.Helper()
	port, err := p.on.MapPort(p.Front)
	if err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort(p.Front, strconv.Itoa(int(port)))
}
