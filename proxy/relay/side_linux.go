package relay

import (
	"syscall"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"golang.org/x/sys/unix"
)

// side is one of the two sockets of a connection, with what is on its way from
// it (in) and to it (out).
type side struct {
	fd int32

	readable bool // there may be bytes, an end or an error to read
	writable bool // the socket may take bytes
	final    bool // the peer has ended or reset its stream; to be read until that is found
	dead     bool // reset or unreachable; writing is useless
	eof      bool // the end of its stream has been read
	shut     bool // the end of the stream to it has been sent
	backlog  bool // in may have whole PDUs: one is pending, or the queues are full
	pending  bool // the first PDU of in was answered with Hold and waits for Resume
	resuming bool // there was a wake, so that Resume has to be called

	writeErr uint16 // the Errno of the write that failed, on a dead side

	framer rpcparse.Framer
	in     *buffer // buffered bytes of it: less than a PDU, unless backlog is set
	out    *buffer // bytes that its socket has not taken yet; nil: none
}

func newSide(fd int32, d rpcparse.Direction, limits rpcparse.Limits) side {
	return side{fd: fd, framer: rpcparse.Framer{Dir: d, Limits: limits}}
}

// note records what epoll has reported.
func (s *side) note(events uint32) {
	if events&unix.EPOLLIN != 0 {
		s.readable = true
	}
	if events&unix.EPOLLOUT != 0 {
		s.writable = true
	}
	if events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		s.readable, s.final = true, true
	}
	if events&unix.EPOLLERR != 0 {
		s.dead = true
	}
}

// send writes b to s, and copies what the socket does not take to s.out. b may be
// part of any other buffer.
func (c *Conn) send(s *side, b []byte) {
	if s.dead || len(b) == 0 {
		return
	}
	if s.out == nil {
		n, errno := send(s.fd, b)
		if n == len(b) {
			return
		}
		if errno != 0 && errno != unix.EAGAIN {
			c.writeFailed(s, errno)
			return
		}
		s.writable = false
		b = b[n:]
	}
	s.out = c.loop.pool.append(s.out, b)
}

// flush writes what is waiting in s.out.
func (c *Conn) flush(s *side) {
	for s.out != nil && s.writable {
		b := s.out.bytes()
		n, errno := send(s.fd, b)
		switch {
		case errno == unix.EINTR:
		case errno != 0 && errno != unix.EAGAIN:
			c.writeFailed(s, errno)
		case n == len(b):
			c.loop.pool.release(s.out)
			s.out = nil
		default:
			s.out.read += n
			s.writable = false
			if n > 0 && s == &c.client && c.timer.class == timerTail { // the client is slow, but it reads
				c.loop.timers.start(c, timerTail, c.loop.now())
			}
		}
	}
}

// writeFailed records that s takes no more bytes. It may have sent some before that
// are still to be read, such as a fault right before the reset, so settle ends the
// connection only when those have been forwarded.
func (c *Conn) writeFailed(s *side, errno syscall.Errno) {
	c.loop.pool.release(s.out)
	s.out = nil
	s.dead, s.readable, s.final = true, true, true
	s.writeErr = uint16(errno)
	c.loop.requeue(c)
}

// receive reads once from s into the loop's buffer, behind the headroom. It returns
// no bytes and no error when there is nothing to read, and at the end of the stream
// (s.eof).
func (c *Conn) receive(s *side) (b []byte, fail syscall.Errno) {
	space := c.loop.buf[headroom:]
	n, errno := recv(s.fd, space)
	switch {
	case n > 0:
		// A short read has emptied the socket, and later bytes are a new event. An
		// end that has been reported already is not reported again.
		if n < len(space) && !s.final {
			s.readable = false
		}
		c.counters(s).bytes.Add(uint64(n))
		return space[:n], 0
	case errno == unix.EAGAIN:
		s.readable = false
	case errno == unix.EINTR:
	case errno == 0:
		s.eof, s.readable = true, false
	default:
		s.readable = false
		return nil, errno
	}
	return nil, 0
}
