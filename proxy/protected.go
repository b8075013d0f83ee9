package proxy

import (
	"slices"

	"github.com/nspiproxy/nspiproxy/proxy/relay"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
)

// passageMode says how a PDU gets to the other side.
type passageMode uint8

const (
	// asItCame: not protected, or by keys that are not known, or of no interest.
	asItCame passageMode = iota
	// readOnly: a copy was opened; the original goes on if it goes on.
	readOnly
	// again: it was opened in place and has to be protected again, because the
	// receiver expects other numbers than the sender has.
	again
)

// passage is a PDU on its way through the inspector.
type passage struct {
	mode     passageMode
	plain    []byte // what is read: the PDU itself, or with its body opened
	detached bool   // plain is a copy and the PDU itself must not go on
	context  *secctx.Context
	layout   secctx.Layout
	verifier rpcparse.Verifier // of the PDU; its token is not used
}

// opened reports whether the body was verified, and decrypted if it was sealed.
func (p *passage) opened() bool { return p.mode != asItCame }

// guarded finds the security context and the layout of a protected request or
// response, if its keys are known.
func (i *inspector) guarded(h rpcparse.Header, pdu []byte) (p passage, ok bool) {
	p = passage{plain: pdu}
	if !i.keyed || h.AuthLength == 0 {
		return p, false
	}
	body := 0
	switch h.Type {
	case rpcparse.PTypeRequest:
		r, err := rpcparse.ParseRequest(pdu)
		if err != nil {
			return p, false
		}
		body, p.verifier = r.StubOffset, r.Verifier
	case rpcparse.PTypeResponse:
		r, err := rpcparse.ParseResponse(pdu)
		if err != nil {
			return p, false
		}
		body, p.verifier = r.StubOffset, r.Verifier
	default:
		return p, false
	}
	if p.verifier.Level <= rpcparse.LevelConnect {
		return p, false
	}
	p.context = contextOf(i.conv.Security(&p.verifier))
	p.layout = secctx.Layout{Body: body, Trailer: p.verifier.Offset, Seal: p.verifier.Level >= rpcparse.LevelPrivacy}
	return p, p.context != nil
}

// contextOf returns the keys of a security context, or nil.
func contextOf(s *rpcparse.SecurityContext) *secctx.Context {
	if s == nil {
		return nil
	}
	if h, ok := s.Handshake.(*secctx.Handshake); ok {
		return h.Context()
	}
	return nil
}

// openPDU opens a PDU where it has to be read or protected again. An error is
// fatal: the PDU would have to be protected again, and it does not verify.
func (i *inspector) openPDU(d secctx.Dir, h rpcparse.Header, pdu []byte) (passage, error) {
	p, ok := i.guarded(h, pdu)
	if !ok {
		return p, nil
	}
	p.context.SetHeaderSigning(i.conv.HeaderSigning())
	if p.context.Diverged(d) {
		p.mode = again
		return p, p.context.Open(d, pdu, p.layout)
	}
	if !i.conv.Matters(h, pdu) || !p.context.Readable(d) {
		p.context.Skip(d, p.layout)
		return p, nil
	}
	return i.peek(d, p), nil
}

// peek opens a copy. A request may turn out to be swallowed, a response to be
// replaced: the receiver's half-state stays behind until that is decided. What
// does not verify is the receiver's to judge, and nothing of that context can be
// read any more in that direction.
func (i *inspector) peek(d secctx.Dir, p passage) passage {
	wire := p.plain
	p.context.Fork(d)
	p.plain = slices.Clone(wire)
	if err := p.context.Open(d, p.plain, p.layout); err != nil {
		p.context.Join(d)
		i.server.metrics.unverified()
		p.plain = wire
		return p
	}
	p.mode = readOnly
	return p
}

// toServer lets a client's PDU go on.
func (i *inspector) toServer(p *passage) relay.Verdict {
	switch p.mode {
	case readOnly:
		p.context.Join(secctx.ClientToServer)
	case again:
		if err := p.context.Seal(secctx.ClientToServer, p.plain, p.layout); err != nil {
			return relay.Verdict{Action: relay.Close, Err: err}
		}
		if p.detached {
			return relay.Verdict{Action: relay.Drop, ToServer: p.plain}
		}
	}
	return relay.Verdict{}
}

// toClient lets a server's PDU go on, with what v adds.
func (i *inspector) toClient(p *passage, v relay.Verdict) relay.Verdict {
	switch {
	case v.Action != relay.Forward: // something else goes in its place
	case p.mode == readOnly:
		p.context.Join(secctx.ServerToClient)
	case p.mode == again:
		if err := p.context.Seal(secctx.ServerToClient, p.plain, p.layout); err != nil {
			return relay.Verdict{Action: relay.Close, Err: err}
		}
	}
	return v
}

// detach makes the passage independent of the relay's buffer, for a PDU that
// has to wait. What was opened in place is not what may go on from there.
func (p *passage) detach() {
	p.detached = p.mode == again
	p.plain = slices.Clone(p.plain)
}
