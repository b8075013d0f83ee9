package policy

import (
	"net/netip"
	"time"
)

// Config is a configuration file. It is read once, when the program starts:
// "on live sessions" below says what a changed value means for sessions that
// exist after the restart, which live connections do not survive.
//
// A field tagged need:"required" has no default and must be given;
// need:"nonempty" refuses an empty list.
type Config struct {
	// Version is the version of the file format, always 1.
	Version int `yaml:"version" need:"required"`
	// Listeners are the addresses that clients connect to.
	Listeners []Listener `yaml:"listeners" need:"required,nonempty"`
	// Backends are the domain controllers. Transparent listeners need none:
	// each address that they lead to is a domain controller by itself.
	Backends []Backend `yaml:"backends" need:"nonempty"`
	// Identity is how users are recognised.
	Identity Identity `yaml:"identity"`
	// Policy is who may hold how many sessions.
	Policy Ruleset `yaml:"policy"`
	// Transparent is how packets are led to transparent listeners.
	Transparent Transparent `yaml:"transparent"`
	// Health is how it is found out which domain controllers serve.
	Health Health `yaml:"health"`
	// Relay is how connections are carried.
	Relay Relay `yaml:"relay"`
	// Metrics is where counters can be read.
	Metrics Metrics `yaml:"metrics"`
	// Log is what is written to standard error.
	Log Log `yaml:"log"`

	// Warnings are findings that do not make the file wrong, in the order of
	// lines: rules that can never match, backends that nobody reaches.
	Warnings []Problem `yaml:"-"`

	file   string           `yaml:"-"`
	places map[string]place `yaml:"-"` // see decoder.places
}

// Problem returns a finding about the key of that path, such as a file that is not what it
// should be, with where it stands in the file that c was read from.
func (c *Config) Problem(path, found, expected string) Problem {
	at := c.places[path]
	return Problem{File: c.file, Line: at.line, Column: at.column, Path: path, Found: found, Expected: expected}
}

// Ruleset is the policy section.
type Ruleset struct {
	// Scope is over what the sessions of a user are counted. Default: backend.
	Scope Scope `yaml:"scope"`
	// Default applies to whom no rule matches.
	Default DefaultLimits `yaml:"default"`
	// DryRun makes every rule and the default watch only. Default: false.
	DryRun bool `yaml:"dry_run"`
	// Rules are tried in order; the first that matches decides.
	Rules []RuleConfig `yaml:"rules"`
	// Refusal is how a bind above the limit is answered.
	Refusal Refusal `yaml:"refusal"`
}

// Scope is over what the sessions of a user are counted.
type Scope string

// The scopes.
const (
	// ScopeBackend counts on each domain controller for itself, as they do.
	ScopeBackend Scope = "backend"
	// ScopeAll counts over all domain controllers.
	ScopeAll Scope = "all"
)

// DefaultLimits is what applies to whom no rule matches.
type DefaultLimits struct {
	// Limit is in sessions per user and scope. Default: 50.
	Limit Limit `yaml:"limit"`
}

// RuleConfig is one rule.
type RuleConfig struct {
	// Name appears in decisions, logs and metrics.
	Name string `yaml:"name" need:"required"`
	// Match is whom the rule is for; all conditions given must hold.
	Match Match `yaml:"match" need:"required"`
	// Limit is in sessions per user and scope: a number, 0 or unlimited.
	Limit Limit `yaml:"limit" need:"required"`
	// DryRun makes this rule report instead of refuse. Default: false.
	DryRun bool `yaml:"dry_run"`
}

// Match is the conditions of a rule. The zero Match matches everybody.
type Match struct {
	// SID is the user's SID. Default: any user.
	SID SID `yaml:"sid"`
	// Group is the SID of a group that the user is in. Default: any user.
	Group SID `yaml:"group"`
	// Account is a pattern for DOMAIN\user. Default: any user.
	Account Pattern `yaml:"account"`
	// Clients are networks and addresses of clients. Default: any address.
	Clients []netip.Prefix `yaml:"clients" need:"nonempty"`
	// Backend is the name of a backend. Default: any backend.
	Backend string `yaml:"backend"`
	// Assurance is how well the user is known: one of several. Default: in any way.
	Assurance []Assurance `yaml:"assurance" need:"nonempty"`
}

// Refusal is how a bind above the limit is answered.
type Refusal struct {
	// Form is the form of MAPI_E_LOGON_FAILED where it can be sent. Default: spec.
	Form RefusalForm `yaml:"form"`
	// FaultStatus is the status of the fault on signed and sealed connections.
	// Default: access_denied.
	FaultStatus FaultStatus `yaml:"fault_status"`
}

// Relay is how connections are carried.
type Relay struct {
	// Loops is the number of event loops. Default 0: one for each core.
	Loops int `yaml:"loops"`
	// MaxConnections is how many client connections there may be. Default: 20000.
	MaxConnections int `yaml:"max_connections"`
	// MaxFromNetwork is the largest number of connections that the clients of one network
	// ([Networks]) may have. Default: 0, no such number.
	MaxFromNetwork int `yaml:"max_connections_per_network"`
	// ConnectTimeout bounds the dialling of a backend. Default: 21s, as of Windows
	// clients.
	ConnectTimeout time.Duration `yaml:"connect_timeout"`
	// FailoverTimeout is after how long of it another backend is tried, where there is
	// one. Default: 5s, or ConnectTimeout where that is less.
	FailoverTimeout time.Duration `yaml:"failover_timeout"`
	// HandshakeTimeout bounds the time until a client's bind. Default: 30s.
	HandshakeTimeout time.Duration `yaml:"handshake_timeout"`
	// SessionTimeout is how long a client may be silent on a connection to NSPI that never
	// had a session. Default: 1h.
	SessionTimeout time.Duration `yaml:"session_timeout"`
	// Keepalive is the idle time before TCP keep-alive probes. Default: 60s.
	Keepalive time.Duration `yaml:"keepalive"`
	// ShutdownTimeout is how long live connections may end by themselves after
	// the program was told to stop. Default: 30s.
	ShutdownTimeout time.Duration `yaml:"shutdown_timeout"`
	// MaxFragment is the longest request or response fragment accepted, in
	// bytes. Default: 5840.
	MaxFragment int `yaml:"max_fragment"`
	// MaxKept is how many bytes all connections together may keep of what peers have sent.
	// Default: 256 MiB.
	MaxKept int `yaml:"max_kept_bytes"`
	// ConnectionsFile keeps which connections to domain controllers there are, for after a
	// crash. Default: /var/lib/nspiproxy/connections.
	ConnectionsFile File `yaml:"connections_file"`
	// NonRPC is what becomes of a connection that is not DCE/RPC. Default: close.
	NonRPC NonRPC `yaml:"non_rpc"`
}

// NonRPC is what becomes of a connection whose first bytes are not DCE/RPC.
type NonRPC string

// The two ways to treat it.
const (
	NonRPCClose NonRPC = "close"
	NonRPCPass  NonRPC = "pass"
)

// Metrics is where counters can be read.
type Metrics struct {
	// Address is IP:port of the HTTP server with /metrics, on loopback.
	// Default: the zero AddrPort, no server.
	Address netip.AddrPort `yaml:"address"`
}

// Log is what is written to standard error.
type Log struct {
	// Level is the least severe level that is written. Default: info.
	Level LogLevel `yaml:"level"`
	// Format is json, console, or auto: console on a terminal. Default: auto.
	Format LogFormat `yaml:"format"`
}

// LogLevel is a level by the name that log libraries know.
type LogLevel string

// The levels.
const (
	LogDebug LogLevel = "debug"
	LogInfo  LogLevel = "info"
	LogWarn  LogLevel = "warn"
	LogError LogLevel = "error"
)

// LogFormat is how a log record is written.
type LogFormat string

// The formats.
const (
	LogJSON    LogFormat = "json"
	LogConsole LogFormat = "console"
	LogAuto    LogFormat = "auto"
)

// Defaults returns what applies when a file says nothing: everything but the
// listeners and backends.
func Defaults() Config {
	return Config{
		Version:  1,
		Identity: Identity{Directory: defaultDirectory(), Unreadable: UnreadableCount, Networks: defaultNetworks()},
		Policy: Ruleset{
			Scope:   ScopeBackend,
			Default: DefaultLimits{Limit: DefaultLimit},
			Refusal: Refusal{Form: FormSpec, FaultStatus: FaultAccessDenied},
		},
		Relay: Relay{
			MaxConnections:   20000,
			ConnectTimeout:   21 * time.Second,
			FailoverTimeout:  5 * time.Second,
			HandshakeTimeout: 30 * time.Second,
			SessionTimeout:   time.Hour,
			Keepalive:        time.Minute,
			ShutdownTimeout:  30 * time.Second,
			MaxFragment:      minFragment,
			MaxKept:          256 << 20,
			ConnectionsFile:  "/var/lib/nspiproxy/connections",
			NonRPC:           NonRPCClose,
		},
		Transparent: defaultTransparent(),
		Health:      defaultHealth(),
		Log:         Log{Level: LogInfo, Format: LogAuto},
	}
}
