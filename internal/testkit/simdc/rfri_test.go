package simdc_test

import (
	"fmt"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/rfri"
)

// referring offers NSPI and the referral interface.
func referring(o client.Options) client.Options {
	if o.Transfer == (rpcparse.SyntaxID{}) {
		o.Transfer = rpcparse.SyntaxNDR
	}
	o.Contexts = []rpcparse.ContextElement{
		client.Context(0, nspi.Interface, o.Transfer), client.Context(1, rfri.Interface, o.Transfer),
	}
	return o
}

func TestClientsAreReferredInEveryDialect(t *testing.T) {
	dc := start(t, simdc.Config{Refer: func(opnum uint16, dn string) (string, uint32) {
		if dn == "/o=LAB/cn=nobody" {
			return "", uint32(nspi.NotFound)
		}
		return fmt.Sprintf("gc%d.for.%s", opnum, dn[len("/o=LAB/cn="):]), 0
	}})
	for name, o := range map[string]client.Options{
		"NDR": {}, "NDR64": {Transfer: rpcparse.SyntaxNDR64}, "big-endian": {Order: rpcparse.BigEndian},
		"integrity": {Security: alice(rpcparse.LevelIntegrity)}, "privacy": {Security: alice(rpcparse.LevelPrivacy)},
	} {
		c := dial(t, dc, referring(o))
		for _, dn := range []string{"alice", "mailbox-server-1"} {
			if got, err := c.RfrGetNewDSA("/o=LAB/cn=" + dn); err != nil || got != "gc0.for."+dn {
				t.Errorf("%s: %q, %v", name, got, err)
			}
			if got, err := c.RfrGetFQDN("/o=LAB/cn=" + dn); err != nil || got != "gc1.for."+dn {
				t.Errorf("%s: %q, %v", name, got, err)
			}
		}
		if _, err := c.RfrGetNewDSA("/o=LAB/cn=nobody"); !client.IsCode(err, nspi.NotFound) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := c.Do(client.Request{Opnum: 2, ContextID: new(uint16(1))}); !client.IsFault(err, rpcparse.StatusOpRangeError) {
			t.Errorf("%s: opnum 2: %v", name, err)
		}
		if _, err := c.Do(client.Request{Opnum: 0, ContextID: new(uint16(1))}); !client.IsFault(err, rpcparse.StatusBadStubData) {
			t.Errorf("%s: no stub: %v", name, err)
		}
	}
}

func TestClientsAreReferredToTheServerItself(t *testing.T) {
	dc := start(t, simdc.Config{Computer: "gc7"})
	c := dial(t, dc, referring(client.Options{}))
	if got, err := c.RfrGetNewDSA(""); err != nil || got != "gc7.lab.test" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := dial(t, dc, client.Options{}).RfrGetNewDSA(""); err == nil {
		t.Error("without the interface")
	}
}
