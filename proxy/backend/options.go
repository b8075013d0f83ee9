package backend

import (
	"cmp"
	"context"
	"net/netip"
	"time"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// Options say what domain controllers there are and how they are monitored.
// Zero values are the defaults that the fields name.
type Options struct {
	Backends []Backend

	// Interval is the time between two active checks, give or take a tenth.
	// Default: 10 s.
	Interval time.Duration
	// Timeout bounds one active check, and one answer of an endpoint mapper.
	// Default: 5 s.
	Timeout time.Duration
	// Rise and Fall are how many checks in a row change a state for the better
	// and for the worse. Default: 2 and 3.
	Rise, Fall int
	// EndpointInterval is the time between an answer of an endpoint mapper and
	// the next question. Default: 500 ms.
	EndpointInterval time.Duration
	// EPMPort is where discovered domain controllers have their endpoint
	// mapper. Default: 135.
	EPMPort uint16

	// Prober is the active check. nil: none; then only connects count, those
	// for clients and those of the checks that follow a failure.
	Prober Prober

	// Process returns the further interfaces whose ports are asked for on a domain
	// controller, because NSPI can be bound there as well. Nil: none, anywhere.
	Process func(addr netip.Addr) []rpcparse.SyntaxID

	// OnPorts is called with the ports of NSPI when they are known, when they
	// have changed, and again after each new connection to the endpoint mapper;
	// and so with the ports of [Options.Process]. The list of NSPI is never empty:
	// ports are kept until others are known. It may wait, which delays the watching
	// of this domain controller alone, and must not change the slices.
	OnPorts func(dc *DC, ports Ports)
	// OnCheck is called after each connect of a check. One that was neither accepted
	// nor refused was not answered: the host may have vanished, or have too much to
	// do. It is followed by others until one is accepted.
	OnCheck func(addr netip.Addr, answered bool)
	// OnSilent is called when nothing at all has come from the host of an
	// unreachable domain controller for so long, on any of its ports: neither
	// connections nor refusals. It is called again as long as that lasts, and
	// never for a host that answers on one port, however slowly or wrongly.
	OnSilent func(addr netip.Addr, silentFor time.Duration)
	// OnEvent is called with what belongs into the log. It must neither wait nor
	// call this package: an event loop may have made the change, and holds a
	// lock.
	OnEvent func(Event)

	prove func(*DC) bool // Set.prove; of no set: it never tries
}

// Ports are TCP ports of a domain controller, in ascending order.
type Ports struct {
	NSPI []uint16
	// Process are those of the further interfaces that [Options.Process] names. Nil:
	// they are not known yet, or not asked for.
	Process []uint16
}

// Backend is a configured backend: one domain controller, or those that DNS
// names.
type Backend struct {
	Name    string
	Address netip.Addr // of the one; not used with SRV
	// Also are further addresses of the one. Each of them has a [DC] and a
	// health of its own, because one may be reached when another is not, and
	// none is a member of the backend. Rules, counting and logs take them for
	// the same domain controller.
	Also []netip.Addr

	// SRV is an absolute name with SRV records, such as
	// _ldap._tcp.dc._msdcs.corp.example. Their ports are LDAP's, and ignored.
	SRV string
	// DNSServer answers for that name. The zero value means the servers of
	// /etc/resolv.conf, as it is at the time of the question.
	DNSServer netip.AddrPort

	NSPIPort uint16 // where it is fixed; 0: ask the endpoint mapper
	EPMPort  uint16 // default: 135
}

// mapper is where the endpoint mapper of an address of b is.
func (b *Backend) mapper(addr netip.Addr) netip.AddrPort {
	return netip.AddrPortFrom(addr.Unmap(), cmp.Or(b.EPMPort, epmPort))
}

// Prober is an active check of one domain controller. It must return soon after
// ctx has ended. Several run at once.
type Prober func(ctx context.Context, t Target) Result

// Target is what a Prober checks.
type Target struct {
	Name       string // see DC.Name
	ServerName string // see DC.ServerName
	Addr       netip.Addr
	EPMPort    uint16
	NSPIPort   uint16 // 0: ask the endpoint mapper
}

// Result is what a Prober found.
type Result struct {
	Reachable bool // a TCP connect succeeded
	Serving   bool // NSPI answered as it should
	// Limited: it answered MAPI_E_LOGON_FAILED, to an anonymous client or
	// because of its limit. That shows that NSPI works, even if Serving is
	// false.
	Limited  bool
	Err      string // what was wrong; not trusted: it may quote the network
	Duration time.Duration
}

// serves reports whether NSPI answered as it should.
func (r Result) serves() bool { return r.Serving || r.Limited }

// epmPort is the TCP port of endpoint mappers.
const epmPort = 135

func (o Options) withDefaults() Options {
	o.Interval = cmp.Or(o.Interval, 10*time.Second)
	o.Timeout = cmp.Or(o.Timeout, 5*time.Second)
	o.Rise, o.Fall = cmp.Or(o.Rise, 2), cmp.Or(o.Fall, 3)
	o.EndpointInterval = cmp.Or(o.EndpointInterval, 500*time.Millisecond)
	o.EPMPort = cmp.Or(o.EPMPort, epmPort)
	if o.prove == nil {
		o.prove = func(*DC) bool { return false }
	}
	if o.OnPorts == nil {
		o.OnPorts = func(*DC, Ports) {}
	}
	if o.Process == nil {
		o.Process = func(netip.Addr) []rpcparse.SyntaxID { return nil }
	}
	if o.OnCheck == nil {
		o.OnCheck = func(netip.Addr, bool) {}
	}
	if o.OnSilent == nil {
		o.OnSilent = func(netip.Addr, time.Duration) {}
	}
	if o.OnEvent == nil {
		o.OnEvent = func(Event) {}
	}
	return o
}
