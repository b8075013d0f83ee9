package simdc

import (
	"slices"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// maxRequest bounds a reassembled request, in bytes (MS-RPCE 3.3.3.5.4).
const maxRequest = 4 << 20

// maxCalls bounds the outstanding calls of one connection.
const maxCalls = 1024

// onRequest takes one fragment of a request.
func (c *conn) onRequest(pdu []byte) bool {
	r, err := rpcparse.ParseRequest(pdu)
	if err != nil {
		return false
	}
	if !c.bound {
		return c.protocolError(pdu)
	}
	s, status := c.authenticate(r, pdu)
	if status == rpcparse.StatusSecPkgError {
		c.fault(r.Header, 0, status, true)
		return false // as Windows does: fault, then the end
	}
	if !c.assemble(r, s, status) {
		return c.protocolError(pdu)
	}
	if !r.Last() {
		return true
	}
	call := c.partial
	c.partial = nil
	return c.start(call)
}

// authenticate finds the security context of a request, and verifies and
// decrypts the fragment in place. A status other than 0 is the fault that the
// request gets; of those only StatusSecPkgError ends the connection.
func (c *conn) authenticate(r rpcparse.Request, pdu []byte) (s *security, status uint32) {
	if !r.HasVerifier {
		return c.unnamed()
	}
	s = c.security[r.Verifier.ContextID]
	if s == nil || !s.matches(r.Verifier) || s.state != handshakeDone {
		return nil, rpcparse.StatusAccessDenied
	}
	if !s.protects() {
		return s, 0 // its token is a dummy
	}
	err := s.session.Receive.Unprotect(pdu, r.StubOffset, r.Verifier.Offset, s.level == rpcparse.LevelPrivacy)
	if err != nil {
		return nil, rpcparse.StatusSecPkgError
	}
	return s, 0
}

// unnamed finds the security context of a request without a verifier: none, or
// the only one, at level CONNECT (MS-RPCE 3.3.1.5.4).
func (c *conn) unnamed() (*security, uint32) {
	if len(c.security) == 0 {
		return nil, 0
	}
	for _, s := range c.security {
		if len(c.security) == 1 && !s.protects() && s.state == handshakeDone {
			return s, 0
		}
	}
	return nil, rpcparse.StatusAccessDenied
}

// assemble adds a fragment to its request. It fails where fragments
// contradict each other.
func (c *conn) assemble(r rpcparse.Request, s *security, status uint32) bool {
	p := c.partial
	if r.First() {
		if p != nil {
			return false
		}
		c.partial = &call{conn: c, first: r.Header, contextID: r.ContextID, opnum: r.Opnum, order: r.Order(),
			context: c.contexts[r.ContextID], security: s, status: status, stub: slices.Clone(r.Stub)}
		return true
	}
	if p == nil || r.CallID != p.first.CallID || r.ContextID != p.contextID || r.Opnum != p.opnum ||
		r.Drep != p.first.Drep || s != p.security {
		return false
	}
	if status != 0 {
		p.status = status
	}
	if len(p.stub)+len(r.Stub) > maxRequest {
		p.status = rpcparse.StatusAccessDenied
		return true
	}
	p.stub = append(p.stub, r.Stub...)
	return true
}

// start runs a whole request: at once, or beside others where the client
// multiplexes.
func (c *conn) start(x *call) bool {
	if x.context == nil {
		return c.fault(x.first, 0, rpcparse.StatusUnknownIf, true)
	}
	c.server.count(x.context.abstract, x.opnum)
	if x.status != 0 {
		return c.fault(x.first, x.contextID, x.status, true)
	}
	if !c.begin(x) {
		c.fault(x.first, x.contextID, rpcparse.StatusProtoError, true)
		return false
	}
	if !c.mpx {
		return x.run()
	}
	c.endpoint.wg.Add(1) // the read loop holds one, so the group is not at rest
	c.running.Go(func() {
		defer c.endpoint.wg.Done()
		if !x.run() {
			c.tcp.Close()
		}
	})
	return true
}

// begin notes an outstanding call. A call id that is outstanding already is a
// protocol error.
func (c *conn) begin(x *call) bool {
	c.callsMu.Lock()
	defer c.callsMu.Unlock()
	if _, taken := c.calls[x.first.CallID]; taken || len(c.calls) >= maxCalls {
		return false
	}
	c.calls[x.first.CallID] = x
	return true
}

// end forgets a call and reports whether its client still wanted it.
func (c *conn) end(x *call) (orphaned bool) {
	c.callsMu.Lock()
	defer c.callsMu.Unlock()
	delete(c.calls, x.first.CallID)
	return x.orphaned
}

// orphan marks a call whose client has lost interest. One that still waits
// will not run.
func (c *conn) orphan(id uint32) {
	c.callsMu.Lock()
	defer c.callsMu.Unlock()
	if x := c.calls[id]; x != nil {
		x.orphaned = true
	}
}
