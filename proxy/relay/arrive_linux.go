package relay

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// begin arms an accepted socket, and dials if nothing has to be known of the client
// before.
func (c *Conn) begin() {
	l, o := c.loop, &c.listener.options
	c.awaitsProxy = o.ProxyHeader != nil && o.ProxyHeader(c.origin.addr())
	if !c.awaitsProxy && !c.join() {
		return
	}
	c.local = newEndpoint(c.listener.localOf(c.client.fd))
	if err := l.poller.add(c.client.fd, streamEvents, l.slots.key(c.slot, false)); err != nil {
		c.finish(CloseReason{Cause: CauseDialFailed, Err: err}, true)
		return
	}
	if c.awaitsProxy || o.Head {
		l.timers.start(c, timerHandshake, l.now()) // epoll reports bytes that are there already
		return
	}
	c.dial(CloseReason{Cause: CauseRefused})
}

// arrive dials when the bytes that the Router needs are there. Until then they stay
// in the socket, where every further event finds them again.
func (c *Conn) arrive() {
	if c.client.dead {
		c.finish(CloseReason{Cause: CauseClientReset, Err: errnoError("read", takeError(c.client.fd))}, true)
		return
	}
	if c.awaitsProxy && !c.takeProxyHeader() || c.listener.options.Head && !c.peekHead() {
		return
	}
	c.dial(CloseReason{Cause: CauseRefused})
}

// takeProxyHeader reads the PROXY header when all of it is there. It returns false
// when it is not, or when the connection has ended.
func (c *Conn) takeProxyHeader() bool {
	b, ok := c.peek(maxProxyHeader)
	if !ok {
		return false
	}
	n, err := proxyHeaderLen(b)
	switch {
	case err != nil:
	case n > 0:
		var from, to netip.AddrPort
		if from, to, err = parseProxyHeader(b[:n]); err == nil {
			return c.proxiedFrom(from, to, b[:n])
		}
	case !c.client.final:
		return false
	case len(b) == 0: // a load balancer's health check
		c.finish(CloseReason{Cause: CauseEnd}, false)
		return false
	default:
		err = errProxyCut
	}
	c.finish(CloseReason{Cause: CauseProxyHeader, Err: err}, true)
	return false
}

// proxied is what is known of a connection behind a load balancer.
type proxied struct {
	peer netip.AddrPort // of the client's socket
	to   netip.AddrPort // what the client connected to; the zero AddrPort: not known
}

// proxiedFrom consumes the header, all of which is in the socket, and takes over the
// client's address from it, and what the client connected to.
func (c *Conn) proxiedFrom(from, to netip.AddrPort, header []byte) bool {
	n, errno := recv(c.client.fd, header)
	if n != len(header) {
		c.finish(CloseReason{Cause: CauseClientReset, Err: errnoError("read", errno)}, true)
		return false
	}
	c.awaitsProxy = false
	if from.IsValid() {
		c.proxied = &proxied{peer: c.origin.addrPort(), to: to}
		c.origin = newEndpoint(from)
	}
	return c.join()
}

// join counts the connection for the network of its client. Where that has its share, the client is reset.
func (c *Conn) join() bool {
	g := c.loop.group
	free := g.options.MaxConnections - int(g.active.Load()) + 1 // it is active already
	held, ok := g.crowd.enter(c.origin.addr(), free)
	if c.crowded = ok; ok {
		return true
	}
	c.loop.counters.crowded.Add(1)
	if f := c.listener.options.Refused; f != nil {
		f(c.Client(), held)
	}
	c.finish(CloseReason{Cause: CauseCrowded}, true)
	return false
}

// peekHead parses the head of the client's stream when enough of it is there. It
// returns false when there is not, or when the connection has ended.
func (c *Conn) peekHead() (done bool) {
	b, ok := c.peek(headSize)
	if !ok {
		return false
	}
	c.head, c.hasHead, done = parseHead(b)
	if !done && c.client.final { // the stream ends within its first PDU
		c.finish(CloseReason{Cause: CauseEnd}, false)
	}
	return done
}

// peek returns what the client has sent, up to limit bytes, and leaves it in the
// socket. It returns false when the connection has ended.
func (c *Conn) peek(limit int) ([]byte, bool) {
	space := c.loop.buf[:limit]
	for {
		n, errno := peek(c.client.fd, space)
		switch errno {
		case 0:
			return space[:n], true
		case unix.EAGAIN:
			return nil, true
		case unix.EINTR:
		default:
			c.finish(CloseReason{Cause: CauseClientReset, Err: errnoError("read", errno)}, true)
			return nil, false
		}
	}
}
