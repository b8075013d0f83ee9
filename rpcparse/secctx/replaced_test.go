package secctx_test

import (
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
)

const victim = "S-1-5-21-1-2-3-1105"

func TestReplacedTicketNamesNobodyAnyMore(t *testing.T) {
	k, other := newKDC(18), newKDC(18)
	other.service.KeyValue[0] ^= 1
	for name, second := range map[string]*kdc{"by one without a PAC": k, "by one that no key opens": other} {
		h := secctx.NewHandshake(k.keys(t))
		h.FromClient(k.request(t))
		secctx.Plant(h, victim)
		second.follow(t, h)
		if id, ok := h.Identity(); ok {
			t.Errorf("%s: still %s", name, id.SID)
		}
	}
}

func TestTicketAfterTheEndOfTheHandshakeChangesNothing(t *testing.T) {
	k, other := newKDC(18), newKDC(18)
	other.service.KeyValue[0] ^= 1
	h := k.follow(t, secctx.NewHandshake(k.keys(t)))
	c := h.Context()
	h.FromClient(other.request(t))
	if c == nil || h.Context() != c {
		t.Errorf("context %v became %v", c != nil, h.Context() != nil)
	}
}
