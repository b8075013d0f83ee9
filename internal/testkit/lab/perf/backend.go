package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"sync/atomic"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

const (
	opnumQueryRows = 3
	maxFragment    = 5840    // what servers negotiate over TCP
	answerStub     = 1024    // bytes that QueryRows is answered with
	readBuffer     = 8 << 10 // more than a fragment
	le             = rpcparse.LittleEndian
)

// serveBackend is the server that all subjects forward to: NspiBind and NspiUnbind answered as a domain controller
// does, every other call with answerStub bytes. No authentication, no memory of sessions: it must cost little.
func serveBackend(address string) error {
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	return serveConnections(ln)
}

// serveConnections serves until ln is closed; every connection is an association of its own.
func serveConnections(ln net.Listener) error {
	var groups atomic.Uint32
	for {
		conn, err := ln.Accept()
		if err != nil {
			return err
		}
		s := &server{conn: conn, group: groups.Add(1), rows: make([]byte, answerStub)}
		s.framer.Dir = rpcparse.ClientToServer
		go s.serve()
	}
}

// server is one connection at the backend.
type server struct {
	conn     net.Conn
	framer   rpcparse.Framer
	group    uint32
	sessions uint32
	rows     []byte
	out      []byte
}

func (s *server) serve() {
	defer s.conn.Close()
	if err := s.loop(); err != nil {
		fmt.Fprintln(os.Stderr, "backend:", err)
	}
}

func (s *server) loop() error {
	buf := make([]byte, readBuffer)
	for n := 0; ; {
		m, err := s.conn.Read(buf[n:])
		if m == 0 && err != nil {
			return nil // the load has what it wants, or says what is wrong
		}
		rest, err := s.answer(buf[:n+m])
		if err != nil {
			return err
		}
		n = copy(buf, rest)
		if _, err := s.conn.Write(s.out); err != nil {
			return nil
		}
	}
}

// answer fills s.out with the answers to all whole PDUs in b and returns what is left of b.
func (s *server) answer(b []byte) ([]byte, error) {
	s.out = s.out[:0]
	for {
		pdu, h, err := s.framer.Next(b)
		if err != nil || pdu == nil {
			return b, err
		}
		b = b[len(pdu):]
		switch h.Type {
		case rpcparse.PTypeBind:
			err = s.bind(pdu)
		case rpcparse.PTypeRequest:
			err = s.request(pdu)
		default:
			err = fmt.Errorf("unexpected %s", h.Type)
		}
		if err != nil {
			return nil, err
		}
	}
}

// bind accepts every context with NDR.
func (s *server) bind(pdu []byte) error {
	x, err := rpcparse.ParseBind(pdu)
	if err != nil {
		return err
	}
	results := make([]rpcparse.ContextResult, x.Contexts.Len())
	for i := range results {
		results[i].Transfer = rpcparse.SyntaxNDR
	}
	size := rpcparse.Negotiate(x.MaxXmitFrag, x.MaxRecvFrag, maxFragment)
	s.out, err = rpcparse.AppendBindAck(s.out, rpcparse.BindAck{
		Header:      answerHeader(rpcparse.PTypeBindAck, x.CallID),
		MaxXmitFrag: size, MaxRecvFrag: size, AssocGroupID: s.group,
		SecondaryAddress: []byte("0\x00"), Results: rpcparse.NewResultList(results...),
	})
	return err
}

func (s *server) request(pdu []byte) error {
	x, err := rpcparse.ParseRequest(pdu)
	if err != nil {
		return err
	}
	stub := s.rows
	switch x.Opnum {
	case nspi.OpnumBind:
		s.sessions++
		stub = nspi.AppendBindResponse(nil, nspi.BindResponse{Handle: s.handle()}, nspi.NDR, le)
	case nspi.OpnumUnbind:
		stub = nspi.AppendUnbindResponse(nil, nspi.UnbindResponse{Code: nspi.UnbindSuccess}, nspi.NDR, le)
	}
	s.out, err = rpcparse.AppendResponse(s.out, rpcparse.Response{
		Header:    answerHeader(rpcparse.PTypeResponse, x.CallID),
		AllocHint: uint32(len(stub)), ContextID: x.ContextID, Stub: stub,
	})
	return err
}

// handle is a context handle that no other session has.
func (s *server) handle() (h nspi.Handle) {
	binary.LittleEndian.PutUint32(h[4:], 0xC7C7C7C7)
	binary.LittleEndian.PutUint32(h[12:], s.group)
	binary.LittleEndian.PutUint32(h[16:], s.sessions)
	return h
}

func answerHeader(t rpcparse.PType, call uint32) rpcparse.Header {
	return rpcparse.Header{Type: t, Flags: rpcparse.FlagsWhole, Drep: rpcparse.DrepLittleEndian, CallID: call}
}
