package relay

import "net/netip"

// begin is the first thing done with an accepted connection.
func (c *Conn) begin() {
	l := c.loop
	c.local = newEndpoint(c.listener.localOf(c.client.fd))
	if err := l.poller.add(c.client.fd, streamEvents, l.slots.key(c.slot, false)); err != nil {
		c.finish(CloseReason{Cause: CauseDialFailed, Err: err}, true)
		return
	}
	c.dial(CloseReason{Cause: CauseRefused})
}

// localOf returns what the client of an accepted socket connected to.
func (ln *Listener) localOf(fd int32) netip.AddrPort {
	if !ln.addr.Addr().IsUnspecified() {
		return ln.addr
	}
	var own sockaddr
	if localAddr(fd, &own) != 0 {
		return ln.addr // it is gone already
	}
	return own.addrPort()
}
