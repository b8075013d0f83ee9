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
	final    bool // the peer has ended or reset: read on until that is found
	dead     bool // reset, or unreachable: writing is useless
	eof      bool // the end of its stream has been read
	shut     bool // the end of the stream to it has been sent
	backlog  bool // in may have whole PDUs that were left: held, or the queues are full
	held     bool // the first PDU of in waits for Resume
	resuming bool // and Resume is to be asked

	loss uint16 // the error that a write to a dead side met: an Errno

	framer rpcparse.Framer
	in     *buffer // what came and was not forwarded: less than a PDU, unless backlog
	out    *buffer // what the socket did not take; nil: nothing
}

func newSide(fd int32, d rpcparse.Direction, limits rpcparse.Limits) side {
	return side{fd: fd, framer: rpcparse.Framer{Dir: d, Limits: limits}}
}

// note remembers what epoll reported.
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

// send writes b to s, or keeps what the socket does not take. b may be part of
// any buffer; it is not needed afterwards.
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
			c.lose(s, errno)
			return
		}
		s.writable = false
		b = b[n:]
	}
	s.out = c.loop.pool.append(s.out, b)
}

// flush writes what waits for s.
func (c *Conn) flush(s *side) {
	for s.out != nil && s.writable {
		b := s.out.bytes()
		n, errno := send(s.fd, b)
		switch {
		case errno == unix.EINTR:
		case errno != 0 && errno != unix.EAGAIN:
			c.lose(s, errno)
		case n == len(b):
			c.loop.pool.release(s.out)
			s.out = nil
		default:
			s.out.read += n
			s.writable = false
			if n > 0 && s == &c.client && c.timer.class == timerTail { // slow, but it reads
				c.loop.timers.start(c, timerTail, c.loop.now())
			}
		}
	}
}

// lose notes that s takes no more bytes. What it sent before may still be there
// to be read: a fault right before the reset, say. So the end comes when that
// has been forwarded, see settle.
func (c *Conn) lose(s *side, errno syscall.Errno) {
	c.loop.pool.release(s.out)
	s.out = nil
	s.dead, s.readable, s.final = true, true, true
	s.loss = uint16(errno)
	c.loop.requeue(c)
}

// receive reads once from s into the loop's buffer, behind the headroom. No bytes
// and no error: there is nothing, or the end has come (s.eof).
func (c *Conn) receive(s *side) (b []byte, fail syscall.Errno) {
	space := c.loop.buf[headroom:]
	n, errno := recv(s.fd, space)
	switch {
	case n > 0:
		// A short read has emptied the socket, and whatever comes is a new event.
		// Unless the end has been reported already: that event will not come again.
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
