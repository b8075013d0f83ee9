package client

import (
	"net"
	"net/netip"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// Options says how to bind. The zero value binds to NSPI in NDR, without
// security, in an association of its own.
type Options struct {
	Contexts []rpcparse.ContextElement // default: NSPI, context 0, in Transfer
	Transfer rpcparse.SyntaxID         // default: NDR
	Order    rpcparse.Order
	Group    uint32    // association to join
	Security *Security // nil: none

	MaxFragment    uint16 // to offer; default 5840
	NoMultiplexing bool
	Local          netip.Addr // address to connect from

	// Connect opens the TCP connection, such as in another network namespace. nil:
	// ordinary means.
	Connect func(addr string, local netip.Addr) (*net.TCPConn, error)
}

func (o Options) connect(addr string) (*Conn, error) {
	if o.Connect == nil {
		return Connect(addr, o.Local)
	}
	tcp, err := o.Connect(addr, o.Local)
	if err != nil {
		return nil, err
	}
	return New(tcp), nil
}

// Context offers one interface in the given transfer syntaxes, default NDR.
func Context(id uint16, iface rpcparse.SyntaxID, transfers ...rpcparse.SyntaxID) rpcparse.ContextElement {
	if len(transfers) == 0 {
		transfers = []rpcparse.SyntaxID{rpcparse.SyntaxNDR}
	}
	return rpcparse.ContextElement{ID: id, Abstract: iface, Transfers: rpcparse.NewSyntaxList(transfers...)}
}

// Dial connects and binds. An error leaves no connection behind.
func Dial(addr string, o Options) (*Conn, error) {
	c, err := o.connect(addr)
	if err != nil {
		return nil, err
	}
	if err := c.Bind(o); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Bind binds a connection and completes the handshake of its security context.
// Calls then use the first context that was accepted.
func (c *Conn) Bind(o Options) error {
	c.Order = o.Order
	if o.Transfer == (rpcparse.SyntaxID{}) {
		o.Transfer = rpcparse.SyntaxNDR
	}
	if o.Contexts == nil {
		o.Contexts = []rpcparse.ContextElement{Context(0, nspi.Interface, o.Transfer)}
	}
	if o.MaxFragment == 0 {
		o.MaxFragment = rpcparse.DefaultFragment
	}
	b := rpcparse.Bind{
		Header:       c.header(rpcparse.PTypeBind, c.NextCallID()),
		MaxXmitFrag:  o.MaxFragment,
		MaxRecvFrag:  o.MaxFragment,
		AssocGroupID: o.Group,
		Contexts:     rpcparse.NewContextList(o.Contexts...),
	}
	if !o.NoMultiplexing {
		b.Flags |= rpcparse.FlagConcMpx
	}
	return c.negotiate(b, o.Contexts, o.Security)
}

// AlterContext adds presentation contexts and, if s is not nil, a security
// context. Calls then use the first context that was accepted, and s.
func (c *Conn) AlterContext(s *Security, contexts ...rpcparse.ContextElement) error {
	b := rpcparse.Bind{
		Header:       c.header(rpcparse.PTypeAlterContext, c.NextCallID()),
		MaxXmitFrag:  uint16(c.MaxFragment),
		MaxRecvFrag:  uint16(c.MaxFragment),
		AssocGroupID: c.Group,
		Contexts:     rpcparse.NewContextList(contexts...),
	}
	return c.negotiate(b, contexts, s)
}
