package relay

import (
	"errors"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// acceptBatch bounds the connections accepted in one turn, so that many new ones do
// not delay the others. Epoll reports the rest again.
const acceptBatch = 64

// Listener is an address on which a Group accepts clients.
type Listener struct {
	group     *Group
	addr      netip.AddrPort
	options   ListenOptions
	acceptors []*acceptor // one per loop
}

// acceptor is the socket of a Listener on one loop.
type acceptor struct {
	listener *Listener
	slot     int32         // of the loop; 0: the loop does not serve it yet, or any more
	resumeAt time.Duration // when to accept again; 0: not paused

	mu sync.Mutex // guards fd: any goroutine may stop it, only its loop closes it
	fd int32      // -1: closed
}

// Addr returns the address it listens on, with the real port.
func (ln *Listener) Addr() netip.AddrPort { return ln.addr }

// Close refuses new clients from now on. When it returns, the address can be listened
// on again. Connections already accepted go on. Closing twice is harmless.
func (ln *Listener) Close() {
	g := ln.group
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, open := g.listeners[ln]; !open {
		return
	}
	delete(g.listeners, ln)
	ln.stop()
	for i, l := range g.loops {
		l.mailbox.post(message{op: opUnlisten, acceptor: ln.acceptors[i]})
	}
}

// stop ends listening. Only their loops may close the sockets: a descriptor closed
// here could be reused for another socket before its loop knows.
func (ln *Listener) stop() {
	for _, a := range ln.acceptors {
		a.mu.Lock()
		if a.fd >= 0 {
			shutdownRead(a.fd)
		}
		a.mu.Unlock()
	}
}

// listen starts accepting from a.
func (l *loop) listen(a *acceptor) {
	if l.stopping {
		a.close()
		return
	}
	a.slot = l.slots.take(nil, a)
	if err := l.poller.add(a.fd, unix.EPOLLIN, l.slots.key(a.slot, false)); err != nil {
		l.pause(a) // out of kernel memory: try again later
	}
}

// unlisten ends accepting from a, if that has begun.
func (l *loop) unlisten(a *acceptor) {
	if a.slot == 0 {
		return
	}
	l.slots.release(a.slot)
	a.slot = 0
	a.close()
}

func (a *acceptor) close() {
	a.mu.Lock()
	closeSocket(a.fd)
	a.fd = -1
	a.mu.Unlock()
}

// accept takes the connections that are waiting at a, whose socket is armed
// level-triggered.
func (l *loop) accept(a *acceptor) {
	var from sockaddr
	for range acceptBatch {
		fd, errno := accept(a.fd, &from)
		switch errno {
		case 0:
			l.addConn(a.listener, fd, from.addrPort())
		case unix.EAGAIN:
			return
		case unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM:
			l.counters.acceptErrors.Add(1)
			l.pause(a)
			return
		case unix.EINVAL: // stopped; the message to close it is in the mailbox
			return
		default: // an error of the new connection, which is gone already: accept(2)
		}
	}
}

// isShortage reports whether this machine, or this process, is at the end of its descriptors or memory.
func isShortage(err error) bool {
	for _, e := range []syscall.Errno{unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// pause stops accepting for acceptPause, instead of failing in a busy loop.
func (l *loop) pause(a *acceptor) {
	if a.resumeAt != 0 {
		return
	}
	_ = l.poller.modify(a.fd, 0, l.slots.key(a.slot, false))
	a.resumeAt = l.now() + acceptPause
	l.paused = append(l.paused, a)
}

// resumeAccepting arms the acceptors whose pause is over.
func (l *loop) resumeAccepting() {
	still := l.paused[:0]
	for _, a := range l.paused {
		switch {
		case a.slot == 0: // closed meanwhile
		case a.resumeAt > l.now():
			still = append(still, a)
		default:
			k := l.slots.key(a.slot, false)
			if l.poller.modify(a.fd, unix.EPOLLIN, k) != nil && l.poller.add(a.fd, unix.EPOLLIN, k) != nil {
				a.resumeAt = l.now() + acceptPause
				still = append(still, a)
				continue
			}
			a.resumeAt = 0
		}
	}
	clear(l.paused[len(still):])
	l.paused = still
}

// addConn makes a connection of an accepted socket, or refuses it.
func (l *loop) addConn(ln *Listener, fd int32, client netip.AddrPort) {
	g := l.group
	if g.active.Add(1) > int64(g.options.MaxConnections) {
		g.active.Add(-1)
		l.counters.refused.Add(1)
		resetSocket(fd)
		if f := ln.options.Refused; f != nil {
			f(client, 0)
		}
		return
	}
	l.counters.accepted.Add(1)
	l.active++
	c := newConn(l, ln, fd, client)
	l.current = c
	c.begin()
	l.current = nil
}
