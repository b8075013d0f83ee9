package simdc

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// The patience of a server with a peer that does not read.
const (
	writeTimeout = 30 * time.Second
	drainTimeout = 2 * time.Second // for the peer to read a last PDU before the socket closes
	finishTime   = time.Second     // for calls in flight when the client has closed its side
)

// conn is one connection. Its read loop alone touches it, except for what is
// marked as shared with the goroutines of calls.
type conn struct {
	endpoint *endpoint
	server   *Server
	tcp      *net.TCPConn
	peer     netip.AddrPort // the other end

	framer   rpcparse.Framer
	buf      []byte // read and not yet consumed: buf[from:]
	from     int
	bound    bool
	assoc    *association
	fragment int  // negotiated size of what we send, in bytes; fixed before the first call
	mpx      bool // several calls may be outstanding

	contexts map[uint16]*presentation
	security map[uint32]*security
	partial  *call // request in reassembly

	done  chan struct{} // shared: closed when the connection has ended
	write sync.Mutex    // shared: one response at a time, and the state of what it is protected with

	callsMu sync.Mutex
	calls   map[uint32]*call // shared: outstanding, by call id
	running sync.WaitGroup   // shared: the goroutines of calls
}

func newConn(e *endpoint, tcp *net.TCPConn) *conn {
	return &conn{
		endpoint: e,
		server:   e.server,
		tcp:      tcp,
		peer:     unmapped(tcp.RemoteAddr()),
		buf:      make([]byte, 0, rpcparse.DefaultFragment),
		contexts: make(map[uint16]*presentation),
		security: make(map[uint32]*security),
		done:     make(chan struct{}),
		calls:    make(map[uint32]*call),
	}
}

// serve reads PDUs until the connection ends.
func (c *conn) serve() {
	defer c.endpoint.remove(c)
	for {
		pdu, h, err := c.next()
		if errors.Is(err, io.EOF) {
			c.finish()
		}
		if err != nil || !c.handle(pdu, h) {
			break
		}
	}
	close(c.done)
	if c.assoc != nil {
		c.endpoint.associations.leave(c.assoc)
	}
	c.drain()
	c.tcp.Close()
}

// finish lets calls in flight end: a client that has closed its side may still
// be reading.
func (c *conn) finish() {
	idle := make(chan struct{})
	go func() {
		c.running.Wait() // ends at the latest when c.done is closed
		close(idle)
	}()
	select {
	case <-idle:
	case <-time.After(finishTime):
	}
}

// next returns the next PDU, valid until the following call.
func (c *conn) next() ([]byte, rpcparse.Header, error) {
	for {
		pdu, h, err := c.framer.Next(c.buf[c.from:])
		if err != nil {
			return nil, h, err
		}
		if pdu != nil {
			c.from += len(pdu)
			return pdu, h, nil
		}
		if err := c.read(); err != nil {
			return nil, h, err
		}
	}
}

// read reads once, behind what is there.
func (c *conn) read() error {
	c.buf = append(c.buf[:0], c.buf[c.from:]...)
	c.from = 0
	if len(c.buf) == cap(c.buf) {
		c.buf = append(c.buf, make([]byte, len(c.buf))...)[:len(c.buf)]
	}
	n, err := c.tcp.Read(c.buf[len(c.buf):cap(c.buf)])
	c.buf = c.buf[:len(c.buf)+n]
	if n > 0 {
		return nil
	}
	return err
}

// handle acts on one PDU and reports whether the connection goes on.
func (c *conn) handle(pdu []byte, h rpcparse.Header) bool {
	switch h.Type {
	case rpcparse.PTypeBind:
		return c.onBind(pdu)
	case rpcparse.PTypeAlterContext:
		return c.onAlterContext(pdu)
	case rpcparse.PTypeAuth3:
		return c.onAuth3(pdu)
	case rpcparse.PTypeRequest:
		return c.onRequest(pdu)
	case rpcparse.PTypeOrphaned:
		c.orphan(h.CallID)
		return true
	case rpcparse.PTypeCoCancel:
		return true // too late for every call: it runs already
	}
	return false
}

// send writes one whole PDU in one write. The caller holds c.write or is the
// read loop answering a handshake.
func (c *conn) send(pdu []byte) bool {
	_ = c.tcp.SetWriteDeadline(time.Now().Add(writeTimeout)) // fails only on a closed socket
	_, err := c.tcp.Write(pdu)
	return err == nil
}

// reply writes one whole PDU, made by an encoder, between responses.
func (c *conn) reply(pdu []byte, err error) bool {
	if err != nil {
		return false
	}
	c.write.Lock()
	defer c.write.Unlock()
	return c.send(pdu)
}

// drain half-closes and reads on for a moment, so that the last PDU is not
// lost in a reset.
func (c *conn) drain() {
	if c.tcp.CloseWrite() != nil {
		return
	}
	_ = c.tcp.SetReadDeadline(time.Now().Add(drainTimeout))
	_, _ = io.Copy(io.Discard, c.tcp)
}

// secondaryAddress is the port as bind_ack tells it.
func (c *conn) secondaryAddress() []byte {
	return append(strconv.AppendUint(nil, uint64(c.endpoint.addr.Port()), 10), 0)
}
