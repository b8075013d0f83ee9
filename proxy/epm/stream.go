package epm

import (
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// stream reads the server's PDUs from a connection.
type stream struct {
	conn   net.Conn
	framer rpcparse.Framer
	buf    [maxPDU]byte
	from   int // buf[from:to] is read and not yet consumed
	to     int
}

// next returns the next PDU, valid until the following call. An end of the
// connection inside or between PDUs is [io.EOF] or the error of the socket.
func (s *stream) next() ([]byte, rpcparse.Header, error) {
	for {
		pdu, h, err := s.framer.Next(s.buf[s.from:s.to])
		if err != nil {
			return nil, h, fmt.Errorf("epm: %w", err)
		}
		if pdu != nil {
			s.from += len(pdu)
			return pdu, h, nil
		}
		if err := s.read(); err != nil {
			return nil, h, err
		}
	}
}

// read reads once, behind what is there. There is room: no PDU is longer than
// the buffer, and the buffer holds less than one.
func (s *stream) read() error {
	s.to = copy(s.buf[:], s.buf[s.from:s.to])
	s.from = 0
	n, err := s.conn.Read(s.buf[s.to:])
	s.to += n
	if n > 0 {
		return nil
	}
	return fmt.Errorf("epm: reading: %w", err)
}

// silence waits for the read deadline. Only the server's silence is not an
// error.
func (s *stream) silence() error {
	if err := s.empty(); err != nil {
		return err
	}
	err := s.read()
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil
	case err != nil:
		return err
	}
	return s.empty()
}

// empty fails if there are bytes that nothing has asked for.
func (s *stream) empty() error {
	if n := s.to - s.from; n > 0 {
		return protocolf("%d bytes that nothing asked for", n)
	}
	return nil
}

// write sends one PDU.
func (s *stream) write(pdu []byte) error {
	if _, err := s.conn.Write(pdu); err != nil {
		return fmt.Errorf("epm: writing: %w", err)
	}
	return nil
}
