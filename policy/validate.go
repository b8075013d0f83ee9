package policy

import (
	"fmt"
	"math"
	"path"
	"slices"
	"time"
)

// minFragment is the fragment size that Windows and Samba offer and accept, and
// so the least that can be asked for; maxFragment is what frag_length can say.
const (
	minFragment = 5840
	maxFragment = 65535
)

// validator checks what one value alone does not show. Values that could not be
// read have their zero value and were reported: checks skip them.
type validator struct {
	cfg      *Config
	problems *collector
	warnings *collector
	places   map[string]place

	backendNames map[string]string // the path of each, filled by backends
	nameless     bool              // there is a backend without a readable name
}

func (v *validator) run() {
	if v.given("version") && v.cfg.Version != 1 {
		v.problem("version", fmt.Sprintf("the number %d", v.cfg.Version), "1")
	}
	v.backends()
	v.listeners()
	v.transparent()
	v.health()
	v.identity()
	v.rules()
	v.refusal()
	v.numbers()
	v.durations()
	v.relay()
	v.metrics()
	v.writtenFiles()
}

// given reports whether the file has that key.
func (v *validator) given(path string) bool {
	_, ok := v.places[path]
	return ok
}

// unread reports whether the file has that key with a value that could not be
// read.
func (v *validator) unread(path string) bool {
	return slices.ContainsFunc(v.problems.found, func(p Problem) bool { return p.Path == path })
}

// missing reports a key that a mapping should have.
func (v *validator) missing(parent, key, expected string) {
	if path := join(parent, key); !v.given(path) {
		v.problems.add(v.places[parent], path, "nothing", expected)
	}
}

func (v *validator) problem(path, found, expected string) {
	v.problems.add(v.places[path], path, found, expected)
}

func (v *validator) warn(path, found, expected string) {
	v.warnings.add(v.places[path], path, found, expected)
}

// unique reports the second use of a value. The zero T is not a value.
func unique[T comparable](v *validator, seen map[T]string, value T, path, expected string) {
	var zero T
	if value == zero {
		return
	}
	if first, ok := seen[value]; ok {
		v.problem(path, fmt.Sprintf("%v again (first on line %d)", value, v.places[first].line), expected)
		return
	}
	seen[value] = path
}

func (v *validator) rules() {
	names := map[string]string{}
	for i, r := range v.cfg.Policy.Rules {
		path := fmt.Sprintf("policy.rules[%d]", i)
		unique(v, names, r.Name, path+".name", "a name of its own for each rule")
		if r.Name == DefaultRule {
			v.problem(path+".name", quote(DefaultRule), "another name: decisions use this one when no rule matches")
		}
		v.knownBackend(path+".match.backend", r.Match.Backend)
		if !v.cfg.Identity.learnsSIDs() {
			v.unknowable(path+".match.sid", r.Match.SID)
			v.unknowable(path+".match.group", r.Match.Group)
		}
		v.unreachable(path+".match.assurance", r.Match.Assurance)
		v.conditions(path+".match", &r.Match)
		v.escapable(path+".match.account", &r)
	}
	v.ruleDomains()
	if len(v.problems.found) == 0 {
		v.shadowed()
	}
}

// unknowable warns of a condition on a SID where no SID is ever known.
func (v *validator) unknowable(path string, sid SID) {
	if sid != "" {
		v.warn(path, "a condition on a SID, and nothing that tells SIDs: the rule never matches", "identity.keytabs, identity.directory, or a condition on account")
	}
}

// unreachable warns of a condition on assurances none of which any user can have.
func (v *validator) unreachable(path string, wanted []Assurance) {
	if len(wanted) == 0 {
		return
	}
	identity := &v.cfg.Identity
	for _, a := range wanted {
		switch {
		case a == AssuranceVerified && len(identity.Keytabs) == 0:
		case a == AssuranceResolved && !identity.learnsSIDs():
		default:
			return
		}
	}
	v.warn(path, "a condition that no user meets without keys or a directory: the rule never matches",
		"identity.keytabs for verified, or identity.directory for resolved")
}

func (v *validator) refusal() {
	if name, ok := fatalFaults[v.cfg.Policy.Refusal.FaultStatus]; ok {
		v.warn("policy.refusal.fault_status",
			fmt.Sprintf("%v (%s), on which clients close the connection and lose its other sessions", v.cfg.Policy.Refusal.FaultStatus, name),
			"a status that ends only the call, such as access_denied")
	}
}

// numbers checks the ranges of numbers.
func (v *validator) numbers() {
	r, d, h := &v.cfg.Relay, &v.cfg.Identity.Directory, &v.cfg.Health
	for _, n := range []struct {
		path            string
		value, min, max int
	}{
		{"relay.loops", r.Loops, 0, 256},                          // more loops than cores only add switches
		{"relay.max_connections", r.MaxConnections, 1, 1_000_000}, // two descriptors each; Linux allows 2^20 by default
		{"relay.max_connections_per_network", r.MaxFromNetwork, 0, 1_000_000},
		{"relay.max_kept_bytes", r.MaxKept, 16 << 20, 1 << 40},
		{"relay.max_fragment", r.MaxFragment, minFragment, maxFragment},
		{"identity.directory.cache_size", d.CacheSize, 1, 1_000_000}, // some hundred bytes each, groups more
		{"identity.networks.ipv4", v.cfg.Identity.Networks.IPv4, 8, 32},
		{"identity.networks.ipv6", v.cfg.Identity.Networks.IPv6, 16, 128},
		{"transparent.route_table", v.cfg.Transparent.RouteTable, 1, math.MaxInt32}, // 0 is the kernel's "unspecified"
		{"health.rise", h.Rise, 1, maxChecks},
		{"health.fall", h.Fall, 1, maxChecks},
	} {
		if n.value < n.min || n.value > n.max {
			v.problem(n.path, fmt.Sprintf("the number %d", n.value), fmt.Sprintf("%d to %d", n.min, n.max))
		}
	}
}

// durations checks the ranges and units of durations.
func (v *validator) durations() {
	r, directory, h := &v.cfg.Relay, &v.cfg.Identity.Directory, &v.cfg.Health
	for _, d := range []struct {
		path                  string
		value, min, max, unit time.Duration
	}{
		{"relay.connect_timeout", r.ConnectTimeout, 100 * time.Millisecond, 2 * time.Minute, 1}, // Linux gives up on a SYN after 127 s
		{"relay.failover_timeout", r.FailoverTimeout, 100 * time.Millisecond, 2 * time.Minute, 1},
		{"relay.session_timeout", r.SessionTimeout, time.Second, 24 * time.Hour, 1},       // clients of the address book go on within minutes
		{"relay.handshake_timeout", r.HandshakeTimeout, time.Second, 10 * time.Minute, 1}, // below the 15 min of Windows clients
		{"relay.keepalive", r.Keepalive, time.Second, 2 * time.Hour, time.Second},         // TCP_KEEPIDLE; 2 h is the system's default
		{"relay.shutdown_timeout", r.ShutdownTimeout, 0, time.Hour, 1},
		{"identity.directory.timeout", directory.Timeout, 100 * time.Millisecond, time.Minute, 1}, // binds wait for it
		{"identity.directory.positive_ttl", directory.PositiveTTL, time.Second, 24 * time.Hour, 1},
		{"identity.directory.negative_ttl", directory.NegativeTTL, time.Second, time.Hour, 1}, // a new account is unknown for so long
		{"health.interval", h.Interval, minCheckInterval, time.Hour, 1},
		{"health.timeout", h.Timeout, 100 * time.Millisecond, time.Minute, 1},
		{"health.endpoint_interval", h.EndpointInterval, 100 * time.Millisecond, time.Minute, 1}, // a question on a standing connection
	} {
		switch {
		case d.value < d.min || d.value > d.max:
			v.problem(d.path, d.value.String(), fmt.Sprintf("%v to %v", d.min, d.max))
		case d.value%d.unit != 0:
			v.problem(d.path, d.value.String(), "whole seconds")
		}
	}
}

// relay checks where the relay keeps what it has to.
func (v *validator) relay() {
	if file := string(v.cfg.Relay.ConnectionsFile); !path.IsAbs(file) {
		v.problem("relay.connections_file", quote(file), "an absolute path, such as /var/lib/nspiproxy/connections")
	}
}

// metrics keeps the counters, which are served without authentication, on this
// machine.
func (v *validator) metrics() {
	a := v.cfg.Metrics.Address
	switch {
	case !a.IsValid():
	case !a.Addr().Unmap().IsLoopback():
		v.problem("metrics.address", a.String(), "a loopback address such as 127.0.0.1:9135: metrics have no authentication")
	case a.Port() == 0:
		v.problem("metrics.address", a.String(), "a port from 1 to 65535")
	default:
		v.metricsCollision()
	}
}
