package relay

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A server that has no room for bytes acknowledges each probe of its window: it lives,
// and a client without the proxy would wait for it. TCP_USER_TIMEOUT ends such a
// connection all the same (Linux 5.11; tcp(7)). So those are looked for some times
// within it, and excepted from it as long as acknowledgements come.

const (
	// roomChecks is how often connections are looked at within the user timeout.
	roomChecks = 4
	// unansweredProbes is how many probes of the window in a row a server may leave
	// unanswered: the kernel sends them up to two minutes apart.
	unansweredProbes = 3
)

// roomCheck is when a loop looks for servers without room.
type roomCheck struct {
	at      time.Duration // not before this, on the loop's clock
	sent    uint64        // what clients had sent by the last time
	again   bool          // they had sent something since the time before
	waiting int           // connections that were found
}

// roomCheckDue reports whether a loop has to look: bytes that have been sent may be waiting.
func (l *loop) roomCheckDue() bool {
	return l.active > 0 && (l.room.waiting > 0 || l.room.again || l.counters.client.bytes.Load() != l.room.sent)
}

// checkRoom begins to look, if it is time.
func (l *loop) checkRoom() {
	if !l.roomCheckDue() || l.now() < l.room.at {
		return
	}
	sent := l.counters.client.bytes.Load()
	l.room.again, l.room.sent = sent != l.room.sent, sent
	l.room.at = l.now() + userTimeout(l.group.options.KeepAlive)/roomChecks
	l.beginSweep(sweep{room: true})
}

// checkRoom excepts the connection from the user timeout if its server has no room and
// is alive, and ends that when it has.
func (c *Conn) checkRoom() {
	if c.state != stateOpen || c.moved {
		return
	}
	info, err := unix.GetsockoptTCPInfo(int(c.server.fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return
	}
	silent := time.Duration(info.Last_ack_recv) * time.Millisecond
	timeout := userTimeout(c.loop.group.options.KeepAlive)
	switch waits := info.Notsent_bytes > 0 && info.Unacked == 0; {
	case waits && c.waiting && info.Probes >= unansweredProbes && silent >= timeout:
		c.finish(CloseReason{Cause: CauseServerReset, Err: errnoError("write", syscall.ETIMEDOUT)}, true)
	case waits:
		c.setWaiting(true)
		setUserTimeout(c.server.fd, 0) // again: other options may have been set meanwhile
	case c.waiting:
		c.setWaiting(false)
		setUserTimeout(c.server.fd, timeout)
	}
}

// setWaiting notes whether the server has no room.
func (c *Conn) setWaiting(waits bool) {
	switch {
	case waits && !c.waiting:
		c.loop.room.waiting++
	case !waits && c.waiting:
		c.loop.room.waiting--
	}
	c.waiting = waits
}

// setUserTimeout fails only on a socket that has failed.
func setUserTimeout(fd int32, d time.Duration) {
	_ = setOption(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int32(d/time.Millisecond))
}
