package client

import (
	"net"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// stream cuts what a server sends into PDUs. The zero value has no buffer until
// it is needed.
type stream struct {
	conn     net.Conn
	framer   rpcparse.Framer
	buf      []byte
	from, to int // buf[from:to] is read and not yet consumed
}

// buffered returns the next PDU if all of it has been read, else nil. It is
// valid until the next read.
func (s *stream) buffered() ([]byte, rpcparse.Header, error) {
	pdu, h, err := s.framer.Next(s.buf[s.from:s.to])
	s.from += len(pdu)
	return pdu, h, err
}

// read reads once, behind what is there.
func (s *stream) read() error {
	s.makeRoom()
	n, err := s.conn.Read(s.buf[s.to:])
	s.to += n
	if n > 0 {
		return nil
	}
	return err
}

// makeRoom moves what is unread to the front of the buffer, which it doubles if
// it was full. There is room then: no PDU is longer than the largest buffer.
func (s *stream) makeRoom() {
	unread := s.buf[s.from:s.to]
	if s.to == len(s.buf) && len(s.buf) < maxBuffer {
		s.buf = make([]byte, min(max(minBuffer, 2*len(s.buf)), maxBuffer))
	}
	s.to = copy(s.buf, unread)
	s.from = 0
}

// unread returns how many bytes have been read that no PDU was made of.
func (s *stream) unread() int { return s.to - s.from }

// release gives the buffer back if nothing is in it; the next read has a new one.
func (s *stream) release() {
	if s.unread() == 0 {
		s.buf, s.from, s.to = nil, 0, 0
	}
}
