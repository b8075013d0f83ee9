package proxy

import (
	"slices"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
)

// newHandshake follows the tokens of a new security context with the keys that
// are loaded at this moment. Newer keys do not touch it.
func (i *inspector) newHandshake(*rpcparse.SecurityContext) rpcparse.Handshake {
	keys := i.server.keys.current()
	i.keyed = i.keyed || keys.Kerberos() != nil
	h := secctx.NewHandshake(keys)
	i.handshakes = append(i.handshakes, h)
	return h
}

// followKeys reports every handshake whose outcome is known now.
func (i *inspector) followKeys() {
	if len(i.handshakes) == 0 {
		return
	}
	i.handshakes = slices.DeleteFunc(i.handshakes, func(h *secctx.Handshake) bool {
		outcome := h.Outcome()
		if outcome.Result == secctx.Pending {
			return false
		}
		i.server.metrics.followed(outcome.Result)
		i.server.recorder.keyOutcome(outcome, i.backend())
		return true
	})
	if len(i.handshakes) == 0 {
		i.handshakes = nil
	}
}
