package relay

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// begin is the first thing done with an accepted connection.
func (c *Conn) begin() {
	l, o := c.loop, &c.listener.options
	c.local = newEndpoint(c.listener.localOf(c.client.fd))
	if err := l.poller.add(c.client.fd, streamEvents, l.slots.key(c.slot, false)); err != nil {
		c.finish(CloseReason{Cause: CauseDialFailed, Err: err}, true)
		return
	}
	c.proxied = o.ProxyHeader != nil && o.ProxyHeader(c.origin.addr())
	if c.proxied || o.Head {
		l.timers.start(c, timerHandshake, l.now()) // an event tells what is there already
		return
	}
	c.dial(CloseReason{Cause: CauseRefused})
}

// arrive waits for what must be known of a client before it is dialled for, and
// for no more than that: a few bytes are looked at and stay in the socket, which
// goes on being readable, until there are as many as are needed.
func (c *Conn) arrive() {
	if c.client.dead {
		c.finish(CloseReason{Cause: CauseClientReset, Err: errnoError("read", takeError(c.client.fd))}, true)
		return
	}
	if c.proxied && !c.takeProxyHeader() || c.listener.options.Head && !c.lookAtHead() {
		return
	}
	c.dial(CloseReason{Cause: CauseRefused})
}

// takeProxyHeader reads the PROXY header when all of it is there. False: it is
// not, or the connection has ended.
func (c *Conn) takeProxyHeader() bool {
	b, ok := c.look(maxProxyHeader)
	if !ok {
		return false
	}
	n, err := proxyHeaderLen(b)
	switch {
	case err != nil:
	case n > 0:
		var from netip.AddrPort
		if from, err = parseProxyHeader(b[:n]); err == nil {
			return c.proxiedFrom(from, b[:n])
		}
	case !c.client.final:
		return false
	case len(b) == 0: // a load balancer that looks whether somebody listens
		c.finish(CloseReason{Cause: CauseEnd}, false)
		return false
	default:
		err = errProxyCut
	}
	c.finish(CloseReason{Cause: CauseProxyHeader, Err: err}, true)
	return false
}

// proxiedFrom takes the header, which is there, from the socket.
func (c *Conn) proxiedFrom(from netip.AddrPort, header []byte) bool {
	n, errno := recv(c.client.fd, header)
	if n != len(header) {
		c.finish(CloseReason{Cause: CauseClientReset, Err: errnoError("read", errno)}, true)
		return false
	}
	c.proxied = false
	if from.IsValid() {
		peer := c.origin.addrPort()
		c.peer, c.origin = &peer, newEndpoint(from)
	}
	return true
}

// lookAtHead looks what the client begins with, when enough of it is there. False:
// it is not, or the connection has ended.
func (c *Conn) lookAtHead() (done bool) {
	b, ok := c.look(headSize)
	if !ok {
		return false
	}
	c.head, c.headed, done = parseHead(b)
	if !done && c.client.final { // what is there will never be a PDU
		c.finish(CloseReason{Cause: CauseEnd}, false)
	}
	return done
}

// look returns what the client has sent, up to limit bytes, and leaves it in the
// socket. False: the connection has ended.
func (c *Conn) look(limit int) ([]byte, bool) {
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
