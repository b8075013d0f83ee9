package inspect

import (
	"slices"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
)

// protection owns what a connection's signatures and encryption need: which
// contexts are followed with keys, and which the server cannot follow any more.
type protection struct {
	keyed     bool               // some context is followed with keys
	desynced  int                // how many contexts are
	undecided []*securityContext // whose keys are not known to be found or not
}

// open verifies and decrypts a PDU where it has to be read or protected again.
// An error is fatal: the PDU would have to be protected again, and it does not
// verify. verified is false for one that is left to its receiver's judgement.
func (p *protection) open(conv *rpcparse.Conversation, d rpcparse.Direction, x *protectedPDU) (verified bool, err error) {
	if !p.locate(conv, x) {
		return true, nil
	}
	x.context.SetHeaderSigning(conv.HeaderSigning())
	if x.context.Diverged(d) {
		x.mode, x.Opened = reseal, true
		return true, x.context.Open(d, x.Raw, x.layout)
	}
	if !x.context.Readable(d) || !conv.NeedsStub(&x.PDU) {
		x.context.Skip(d, x.layout)
		return true, nil
	}
	return x.openCopy(d), nil
}

// locate finds the keys and the layout of a protected request or response.
func (p *protection) locate(conv *rpcparse.Conversation, x *protectedPDU) bool {
	if !p.keyed || x.AuthLength == 0 || x.Err != nil {
		return false
	}
	v := x.Verifier()
	if v == nil || v.Level <= rpcparse.LevelConnect {
		return false
	}
	x.context = contextOf(conv.Security(v))
	x.layout = secctx.Layout{Body: x.StubOffset(), Trailer: v.Offset, Seal: v.Level >= rpcparse.LevelPrivacy}
	return x.context != nil
}

// markDesynced notes that a protected PDU of a context was withheld from the
// server. One that the server has refused meanwhile is forgotten already.
func (p *protection) markDesynced(s *rpcparse.SecurityContext) {
	if s == nil || s.Refused() {
		return
	}
	if state := p.stateOf(s); !state.desynced {
		state.desynced = true
		p.desynced++
	}
}

// isDesynced reports whether a request is made under a context that the server
// cannot follow.
func (p *protection) isDesynced(conv *rpcparse.Conversation, x *protectedPDU) bool {
	if p.desynced == 0 || x.Type != rpcparse.PTypeRequest || x.Err != nil || !x.Request.HasVerifier {
		return false
	}
	s := conv.Security(&x.Request.Verifier)
	if s == nil {
		return false
	}
	state, ok := s.Follower.(*securityContext)
	return ok && state.desynced
}

// takeOutcomes returns how far contexts could be followed of which that has
// become known.
func (p *protection) takeOutcomes() (known []secctx.Outcome) {
	if len(p.undecided) == 0 {
		return nil
	}
	p.undecided = slices.DeleteFunc(p.undecided, func(c *securityContext) bool {
		outcome := c.keys.Outcome()
		if outcome.Result == secctx.Pending {
			return false
		}
		known = append(known, outcome)
		return true
	})
	if len(p.undecided) == 0 {
		p.undecided = nil
	}
	return known
}
