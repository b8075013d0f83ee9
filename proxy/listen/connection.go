package listen

import (
	"errors"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/backend"
	"github.com/nspiproxy/nspiproxy/proxy/inspect"
	"github.com/nspiproxy/nspiproxy/proxy/relay"
	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// connection is one client's connection on its way to one domain controller: the
// inspector decides on its PDUs, and the domain controller's record learns
// whether it was reached.
type connection struct {
	inspector inspect.Inspector
	all       *Listeners
	listener  *policy.Listener
	conn      *relay.Conn
	dc        *backend.DC
	attempt   *poolAttempt // nil: there is no other domain controller to go to
	reached   bool         // the server has answered
	unheard   bool         // that nothing answers was recorded
}

var (
	_ relay.Handler        = (*connection)(nil)
	_ relay.StreamHandler  = (*connection)(nil)
	_ relay.DialHandler    = (*connection)(nil)
	_ relay.SessionHandler = (*connection)(nil)
)

// connect makes the handler of a connection from a listener to server, a port of
// dc, which c does not know yet. The options need what is special about the
// connection only.
func (l *Listeners) connect(c *relay.Conn, config *policy.Listener, dc *backend.DC, server netip.AddrPort, o inspect.Options) *connection {
	h := &connection{all: l, listener: config, conn: c, dc: dc}
	o.Conn, o.Endpoint, o.Server = c, server, dc
	o.Backend, o.Shown, o.RuleName = dc.Name, dc.ServerName(), dc.BackendName()
	h.inspector.Init(l.Inspect, o)
	return h
}

// FromClient implements relay.Handler.
func (h *connection) FromClient(header rpcparse.Header, pdu []byte) relay.Verdict {
	return h.inspector.FromClient(header, pdu)
}

// FromServer implements relay.Handler.
func (h *connection) FromServer(header rpcparse.Header, pdu []byte) relay.Verdict {
	if !h.reached {
		h.reached = true
		h.dialled()
	}
	return h.inspector.FromServer(header, pdu)
}

// Resume implements relay.Handler.
func (h *connection) Resume(from rpcparse.Direction, header rpcparse.Header, pdu []byte) relay.Verdict {
	return h.inspector.Resume(from, header, pdu)
}

// Closed implements relay.Handler.
func (h *connection) Closed(reason relay.CloseReason) {
	h.inspector.Close()
	h.dialFailed(reason)
	h.all.closed(reason, func() inspect.Closed {
		return inspect.Closed{Client: h.conn.Client(), Backend: h.dc.ServerName()}
	})
}

// NotRPC implements relay.StreamHandler: the configuration lets other traffic
// pass unseen.
func (h *connection) NotRPC(rpcparse.Direction) { h.inspector.NotRPC() }

// ServerEnded implements relay.StreamHandler.
func (h *connection) ServerEnded() { h.inspector.ServerClosed() }

// Sessionless implements relay.SessionHandler.
func (h *connection) Sessionless() bool { return h.inspector.Sessionless() }

// Malformed implements relay.StreamHandler.
func (h *connection) Malformed(_ rpcparse.Direction, head []byte, err error) []byte {
	return h.inspector.Malformed(head, err)
}

// Unanswered implements relay.DialHandler: it has the domain controller checked, while
// its client goes on waiting.
func (h *connection) Unanswered() {
	h.unheard = true
	h.notReached(true)
}

// ClientLeft implements relay.DialHandler.
func (h *connection) ClientLeft(waited time.Duration) {
	if h.keepsSource() && waited >= heardByThen {
		h.dc.ClientUnanswered(h.conn.Client().Addr(), h.conn.Server().Port())
	}
}

// heardByThen is how long a domain controller may take to answer a connect that is no
// sign of anything: the kernel sends a second SYN after 1 s.
const heardByThen = 1500 * time.Millisecond

// Connected implements relay.DialHandler.
func (h *connection) Connected() {
	if h.keepsSource() {
		h.dc.ClientAnswered(h.conn.Client().Addr())
	}
}

// dialFailed tells the domain controller's record, and the pool that looks for
// another one, that it could not be reached.
func (h *connection) dialFailed(reason relay.CloseReason) {
	silent := reason.Cause == relay.CauseDialTimeout || isAny(reason.Err, unansweredErrors)
	switch reason.Cause {
	case relay.CauseDialFailed, relay.CauseDialTimeout:
		// Else this machine is at its limits.
		if silent && !h.unheard || !silent && isAny(reason.Err, refusalErrors) {
			h.notReached(silent)
		} else if silent && h.keepsSource() {
			h.dc.ClientUnanswered(h.conn.Client().Addr(), h.conn.Server().Port())
		}
	case relay.CauseServerGone:
		silent = true
	default:
		return
	}
	if h.attempt != nil {
		h.attempt.failed(h.conn, h.dc, silent)
	}
}

// notReached tells the domain controller's record that a connection to it was refused,
// or not answered.
func (h *connection) notReached(silent bool) {
	if h.keepsSource() {
		h.dc.ClientFailed()
		if silent {
			h.dc.ClientUnanswered(h.conn.Client().Addr(), h.conn.Server().Port())
		}
		return
	}
	h.dc.DialFailed(h.conn.Server().Port(), silent)
}

// dialled tells the domain controller's record that it was reached.
func (h *connection) dialled() {
	port := h.conn.Server().Port()
	if h.keepsSource() {
		h.dc.ClientOK(port)
		return
	}
	h.dc.DialOK(port)
}

// keepsSource reports whether the domain controller sees the client's address: if
// it is not reached then, that says nothing about this machine's, nor the reverse.
func (h *connection) keepsSource() bool { return h.listener.Mode == policy.ModeTPROXY }

// What connect says when nothing came back, and when a refusal did.
var (
	unansweredErrors = []error{syscall.ETIMEDOUT, syscall.EHOSTUNREACH, syscall.ENETUNREACH}
	refusalErrors    = []error{syscall.ECONNREFUSED, syscall.ECONNRESET}
)

func isAny(err error, list []error) bool {
	return slices.ContainsFunc(list, func(e error) bool { return errors.Is(err, e) })
}
