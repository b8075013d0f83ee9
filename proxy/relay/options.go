package relay

import (
	"errors"
	"net/netip"
	"runtime"
	"time"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// Errors of a Group.
var (
	// ErrUnsupported is what NewGroup returns where there is no epoll.
	ErrUnsupported = errors.New("relay: event loops need Linux")
	// ErrShutdown is what Listen returns after Shutdown.
	ErrShutdown = errors.New("relay: group is shut down")
	// ErrNoRoute is what Listen returns without a Router.
	ErrNoRoute = errors.New("relay: a listener without a Router")
)

// NonRPC says what happens to a connection whose first byte is not DCE/RPC.
type NonRPC uint8

const (
	// CloseNonRPC closes it.
	CloseNonRPC NonRPC = iota
	// PassNonRPC relays its bytes unseen.
	PassNonRPC
)

// Defaults of Options.
const (
	DefaultMaxConnections   = 20000
	DefaultConnectTimeout   = 21 * time.Second
	DefaultFailoverTimeout  = 5 * time.Second
	DefaultHandshakeTimeout = 30 * time.Second
	DefaultPartTimeout      = 2 * time.Minute
	DefaultSessionTimeout   = time.Hour
	DefaultMaxKept          = 256 << 20
	DefaultKeepAlive        = time.Minute
	DefaultDrainTimeout     = 2 * time.Second
)

// Limits that are not options.
const (
	// backlog is the length of each listening socket's accept queue, unless
	// net.core.somaxconn (4096 on current kernels) is lower: enough for every
	// client of a domain controller to come back at once after a network outage.
	backlog = 4096
	// keepAliveProbes is how often a silent peer is asked before it is given up,
	// at intervals that add up to Options.KeepAlive: one or two answers may get
	// lost. Windows asks ten times, once a second.
	keepAliveProbes = 4
	// acceptPause is how long a loop does not accept after it has run out of
	// descriptors or memory. Clients wait in the accept queue meanwhile.
	acceptPause = 100 * time.Millisecond
	// tailFactor times Options.DrainTimeout (30 s by default) is how long a client
	// may read nothing of what is left when the server has ended its stream. TCP
	// alone never gives up a peer that is there and does not read.
	tailFactor = 15
	// maxQueued is how many bytes may wait for a side that is still read: a client
	// that goes on asking and does not read the proxy's own answers is left unread
	// above it. The send buffer of a domain controller is of this order.
	maxQueued = 256 << 10
)

// Options of a Group. The zero value is useful.
type Options struct {
	// Loops is the number of event loops; 0: one per processor that Go uses.
	Loops int
	// MaxConnections over all listeners; above it a client is accepted and
	// reset. 0: DefaultMaxConnections. Each takes two descriptors.
	MaxConnections int
	// NetworkOf returns the network that a client is counted by; nil: its address. All
	// clients of a network together have four times as many connections as are free of
	// MaxConnections at most, and MaxFromNetwork; 0: no such limit.
	NetworkOf      func(client netip.Addr) netip.Prefix
	MaxFromNetwork int
	// ConnectTimeout for reaching the server; 0: DefaultConnectTimeout, which is what
	// Windows takes by default: a SYN and two more, after 3 s and twice as much, and
	// twice as much again for the last answer (Windows Server, registry reference:
	// TcpInitialRTT 3 s, TcpMaxConnectRetransmissions 2). In the end a last SYN is sent
	// and its answer waited for, two seconds more: those of the kernel may be far apart.
	ConnectTimeout time.Duration
	// FailoverTimeout is after how long of it a Router has another server tried, if
	// its route is Brief, and a DialHandler hears that nothing answers; 0:
	// DefaultFailoverTimeout. It is at most ConnectTimeout.
	FailoverTimeout time.Duration
	// HandshakeTimeout is how long a client may take to send its first bind: from the
	// connection to the server, and again after each bind_nak. Before that it is the
	// time for the client's first bytes, where ListenOptions want to see them. It does
	// not run while the server has a bind to answer. 0: DefaultHandshakeTimeout.
	HandshakeTimeout time.Duration
	// PartTimeout is how long a client that is read may take for the rest of what it has
	// begun: a PDU, or what its handler says (Conn.Keeps). 0: DefaultPartTimeout, in which
	// 64 KiB come over a line of 4,800 bit/s.
	PartTimeout time.Duration
	// SessionTimeout is how long a client may be silent on a connection for which
	// Conn.AwaitSession was called. 0: DefaultSessionTimeout.
	SessionTimeout time.Duration
	// MaxKept is how many bytes all connections together may have in buffers and by
	// Conn.Keeps, each loop its part of it: above, those that have most are reset. 0:
	// DefaultMaxKept.
	MaxKept int
	// KeepAlive is how long both sockets of a connection may be silent before
	// TCP probes them, in whole seconds; 0: DefaultKeepAlive.
	//
	// A peer that is gone is given up after at most twice this time, or KeepAlive
	// + 4 s if that is longer. The time counts from the last packet received of it
	// or, while bytes are under way to it, from their first retransmission (after
	// 0.2 s on a local network). A client that is there but has had no room for bytes
	// all this time is given up as well (TCP_USER_TIMEOUT). A server is not.
	KeepAlive time.Duration
	// DrainTimeout is how long a connection that the proxy closes goes on reading
	// what the peers send, because closing a socket with unread bytes sends a reset,
	// which may destroy the answer; 0: DefaultDrainTimeout.
	DrainTimeout time.Duration
	// Limits of the framers.
	Limits rpcparse.Limits
	// NonRPC says what to do with traffic that is not DCE/RPC.
	NonRPC NonRPC
	// Record keeps the connections to servers that are open; nil: they are not kept.
	Record Record
}

// Record keeps which connections to servers there are, in case that nothing else will know
// after a crash. It is called on all loops, and must not block.
type Record interface {
	// Put keeps a connection from local, which is an address of another machine if
	// foreign, and returns the number to clear it with; 0: it is not kept.
	Put(local, server netip.AddrPort, foreign bool) int32
	// Clear forgets it.
	Clear(n int32)
}

// withDefaults returns o with every zero replaced.
func (o Options) withDefaults() Options {
	if o.Loops <= 0 {
		o.Loops = runtime.GOMAXPROCS(0)
	}
	if o.MaxKept <= 0 {
		o.MaxKept = DefaultMaxKept
	}
	if o.MaxConnections <= 0 {
		o.MaxConnections = DefaultMaxConnections
	}
	for _, d := range []struct {
		value    *time.Duration
		standard time.Duration
	}{
		{&o.ConnectTimeout, DefaultConnectTimeout},
		{&o.FailoverTimeout, DefaultFailoverTimeout},
		{&o.HandshakeTimeout, DefaultHandshakeTimeout},
		{&o.PartTimeout, DefaultPartTimeout},
		{&o.SessionTimeout, DefaultSessionTimeout},
		{&o.KeepAlive, DefaultKeepAlive},
		{&o.DrainTimeout, DefaultDrainTimeout},
	} {
		if *d.value <= 0 {
			*d.value = d.standard
		}
	}
	o.FailoverTimeout = min(o.FailoverTimeout, o.ConnectTimeout)
	return o
}
