package simdc

import (
	"time"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// call is one request from its first fragment to its answer.
type call struct {
	conn      *conn
	first     rpcparse.Header // of the first fragment
	contextID uint16
	opnum     uint16
	order     rpcparse.Order // of the PDU
	context   *presentation
	security  *security // nil: none
	stub      []byte    // without auth padding, with a verification trailer
	status    uint32    // of a fault that is certain already
	orphaned  bool      // under conn.callsMu
}

// user returns who calls; nil for an unauthenticated client.
func (x *call) user() *User {
	if x.security == nil {
		return nil
	}
	return x.security.user
}

// stubOrder returns the byte order of the stub: NDR64 has one only, whatever
// the PDU says (MS-RPCE 2.2.5).
func (x *call) stubOrder() rpcparse.Order {
	if x.context.ndr64() {
		return rpcparse.LittleEndian
	}
	return x.order
}

// run waits as configured, calls the service and answers. It reports whether
// the connection goes on.
func (x *call) run() bool {
	c := x.conn
	if !x.wait(c.server.cfg.delay(x.context.abstract, x.opnum)) {
		return false
	}
	if x.abandoned() {
		c.end(x)
		return c.fault(x.first, x.contextID, rpcparse.StatusServerUnavailable, true)
	}
	stub, status := x.context.service.call(x)
	// The id is free again before the client can know that it is.
	c.end(x)
	if status != 0 {
		return c.fault(x.first, x.contextID, status, false)
	}
	return c.respond(x, stub)
}

// wait returns false if the connection ends before d has passed.
func (x *call) wait(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-x.conn.done:
		return false
	}
}

func (x *call) abandoned() bool {
	x.conn.callsMu.Lock()
	defer x.conn.callsMu.Unlock()
	return x.orphaned
}
