package inspect

import (
	"net/netip"
	"time"

	"github.com/nspiproxy/nspiproxy/policy"
)

// The events of this file are about the listeners that lead connections to
// inspectors, and about the domain controllers behind them.

// Listening is a port that was opened.
type Listening struct {
	Listener string   // empty: that of metrics
	Backends []string // of a forward listener
	Mode     string   // of a transparent one
	Address  netip.AddrPort
	Target   string // where a port of a forward listener leads
}

// DirectoryChanged tells that the directory is down, or that it is up again.
type DirectoryChanged struct{ Err error } // nil: it is up

// ClientRefused is a client that was reset because there are too many connections.
type ClientRefused struct {
	Listener string
	Client   netip.AddrPort
	Network  netip.Prefix // that it is counted by
	Held     int          // connections of that network, which has its share; 0: there are too many in all
}

// PortTaken is a port of NSPI that a forward listener could not open under the
// number that it has on the domain controller.
type PortTaken struct {
	Listener string
	Port     uint16
	Err      error
}

// NoIPv6 is a transparent listener with destinations in IPv6 networks on a machine
// without IPv6: they are left out.
type NoIPv6 struct{ Listener string }

// PathProblem is something in the configuration of a transparent listener that does
// not fit this machine: connections pass by, or lead nowhere.
type PathProblem struct {
	Listener string // empty: all transparent ones
	Setting  string // the key; empty: none
	Subjects string // what of it
	Text     string // what is wrong with that, and what to do
	Over     bool   // not any more
}

// Counted says by what some of the users are counted, at the start.
type Counted policy.Counting

// Unreachable is a connection that was reset at once, because its domain
// controller has vanished.
type Unreachable struct{ Source }

// ConnectionForeign is a connection to a transparent listener that was not to
// one of its destinations.
type ConnectionForeign struct {
	Listener string
	Client   netip.Addr
	To       netip.AddrPort
}

// BackendIsProxy is a domain controller whose address is a listener of the proxy
// itself, which would connect to itself without end.
type BackendIsProxy struct {
	Backend string // that rules match
	DC      string
	Address netip.AddrPort
}

// InterceptionFailed is a port of NSPI that is not intercepted.
type InterceptionFailed struct {
	DC  string
	Err error
}

// InterceptedPorts tells whether the kernel leads connections of clients to the
// proxy as the configuration says.
type InterceptedPorts struct {
	Ports    int           // that were learnt
	Reason   string        // a word for what is different; empty: nothing
	Err      error         // the same in words; nil: nothing
	By       string        // the program that changed the rules last, where the kernel tells
	Repaired bool          // the proxy has put them in force again
	After    time.Duration // how long something was different
}

// ConnectionsPass tells that connections pass by the proxy, because they were made
// while it did not run, or that there are none any more.
type ConnectionsPass struct{ Connections int }

// ConnectionFile tells why the connections to domain controllers are not recorded, which a
// crash may leave open there.
type ConnectionFile struct {
	Err      error
	Expected bool // there is no place for it
}

// ConnectionsLeft tells what became of connections to domain controllers that an earlier
// run has left, by a crash.
type ConnectionsLeft struct {
	Ended   int // the domain controller has none, or none any more
	Unknown int // it did not answer
	Passed  int // in use again
}

// PathMoved tells that packets of clients come through another machine now, why that
// is known, and what became of the connections.
type PathMoved struct {
	Reason  string
	Ended   int
	Waiting int // until their domain controllers can be reached
}

// StandbySocket tells that it cannot be noticed as it should be that packets of clients
// come through another machine.
type StandbySocket struct {
	Err      error
	Expected bool // this is no service with a place for its state
}

// PortStore tells whether the ports that were learnt are kept over a restart.
type PortStore struct{ Err error } // nil: they are

// KeysLoaded tells that keytabs have changed.
type KeysLoaded struct {
	Keys int
	Err  error // not nil: the old keys stay in use
}

// ControllerChanged is a change of a domain controller, or of those that DNS names.
type ControllerChanged struct {
	Kind    string // such as "dc.down"
	Bad     bool   // a change for the worse
	Backend string
	DC      string   // empty in changes of what DNS names
	State   string   // of the domain controller, where Kind is about that
	Ports   []uint16 // on which NSPI listens, where Kind is about them
	Text    string   // what Kind means, in words
	Reason  string   // printable and shortened
}

// CheckFailed is a check of a domain controller that says nothing about it: it could not
// be made, or it has panicked.
type CheckFailed struct {
	DC     string
	Reason string
	Stack  string // of a panic; empty: it could not be made
}

// ShutdownDeadline tells that connections were still open when the time for them was over.
type ShutdownDeadline struct{ After time.Duration }

// HTTPError is what the server for metrics says of a connection that failed.
type HTTPError struct{ Text string }

func (DirectoryChanged) event()   {}
func (ClientRefused) event()      {}
func (CheckFailed) event()        {}
func (ShutdownDeadline) event()   {}
func (HTTPError) event()          {}
func (Listening) event()          {}
func (PortTaken) event()          {}
func (NoIPv6) event()             {}
func (PathProblem) event()        {}
func (Counted) event()            {}
func (Unreachable) event()        {}
func (ConnectionForeign) event()  {}
func (BackendIsProxy) event()     {}
func (InterceptionFailed) event() {}
func (InterceptedPorts) event()   {}
func (ConnectionsPass) event()    {}
func (ConnectionFile) event()     {}
func (ConnectionsLeft) event()    {}
func (PathMoved) event()          {}
func (StandbySocket) event()      {}
func (PortStore) event()          {}
func (KeysLoaded) event()         {}
func (ControllerChanged) event()  {}
