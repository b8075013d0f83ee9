package lab

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/lab/rawnspi"
)

// ProxyOptions says what to start in front of a domain controller.
type ProxyOptions struct {
	Front  string // the proxy's own address, in 127.0.20.0/24; /metrics is there, too
	DC     *DC
	Samba  *Samba // instead of DC
	Limit  int    // sessions per user
	Name   string // the listener's referral_name; empty: none
	Policy string // further keys of the configuration's policy section, indented by two
	Relay  string // keys of its relay section, indented by two
	More   string // further sections
}

// Proxy is a running "nspiproxy serve". It ends with the test, in order, and must do so without an error, a data race
// or a slot that is held although nobody is connected any more.
type Proxy struct {
	*Process
	Front   string
	metrics string // URL
}

const (
	metricsPort = 9135
	readyTime   = 20 * time.Second
	stopTime    = 40 * time.Second // longer than the configured shutdown_timeout
)

// StartProxy starts nspiproxy serve and returns when it accepts connections.
func StartProxy(t testing.TB, o ProxyOptions) *Proxy {
	t.Helper()
	file := filepath.Join(t.TempDir(), "nspiproxy.yaml")
	if err := os.WriteFile(file, []byte(o.yaml()), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program(t), "serve", "--config", file)
	cmd.Env = append(os.Environ(), "GORACE=exitcode=66")
	p := &Proxy{Front: o.Front, metrics: fmt.Sprintf("http://%s:%d/metrics", o.Front, metricsPort)}
	p.Process = start(t, "nspiproxy", cmd)
	t.Cleanup(func() { p.end(t) })
	Eventually(t, readyTime, "nspiproxy serves", func() bool {
		if p.Ended() {
			t.Fatalf("nspiproxy ended at its start:\n%s", strings.Join(p.Out.All(), "\n"))
		}
		return slices.ContainsFunc(p.Log(), func(r Record) bool { return r["event"] == "ready" })
	})
	return p
}

func (o ProxyOptions) server() string {
	if o.Samba != nil {
		return o.Samba.Address
	}
	return o.DC.Address
}

func (o ProxyOptions) yaml() string {
	return fmt.Sprintf(`version: 1
listeners:
  - {name: front, mode: forward, address: %s, backend: dc%s}
backends:
  - {name: dc, address: %s}
policy:
  default: {limit: %d}
%s
relay:
  shutdown_timeout: 20s
%s
metrics: {address: '%s:%d'}
log: {level: info, format: json}
%s
`, o.Front, o.referralName(), o.server(), o.Limit, o.Policy, o.Relay, o.Front, metricsPort, o.More)
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
		if code := p.Stop(t, stopTime); code != 0 {
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
	client := http.Client{Timeout: 5 * time.Second}
	r, err := client.Get(p.metrics)
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
	port, err := rawnspi.MapPort(net.JoinHostPort(p.Front, strconv.Itoa(portEPM)))
	if err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort(p.Front, strconv.Itoa(int(port)))
}

// Record is one line of the proxy's log.
type Record map[string]any

// Log returns the log so far.
func (p *Proxy) Log() []Record {
	var all []Record
	for _, line := range p.Out.All() {
		var r Record
		if json.Unmarshal([]byte(line), &r) == nil {
			all = append(all, r)
		}
	}
	return all
}

// eventRefused is the event id of a refused bind, as in a domain controller's own event.
const eventRefused = 2820

// Refusals returns the records of refused binds.
func (p *Proxy) Refusals() []Record {
	return slices.DeleteFunc(p.Log(), func(r Record) bool { return r["event_id"] != float64(eventRefused) })
}
