package inspect

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/forge"
	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
	"github.com/nspiproxy/nspiproxy/session"
)

// unreadable is a connection whose client has authenticated with something that is not read.
func unreadable(s *site, client string) *driver {
	d := s.connect(from(client))
	c := ticketOfUser("alice", aliceSID, forge.DCEStyle)
	c.Ticket = forge.NewTicket(forge.NewKey(99), "alice", aliceSID) // with a key that is not in the keytab
	request := c.Request()
	answer := c.Answer(nil)
	d.leg(rpcparse.PTypeBind, 1, request, answer)
	third, _ := c.Third(answer)
	d.leg(rpcparse.PTypeAlterContext, 2, third, nil)
	return d
}

func TestUsersWhoCannotBeReadAreTreatedAsConfigured(t *testing.T) {
	of := func(u policy.Unreadable) func(*policy.Config) {
		return func(c *policy.Config) { c.Identity.Unreadable = u }
	}
	match := func(a policy.Assurance, n policy.Limit) func(*policy.Config) {
		return func(c *policy.Config) {
			c.Policy.Rules = []policy.RuleConfig{{Name: "rule", Match: policy.Match{Assurance: []policy.Assurance{a}}, Limit: n}}
		}
	}
	dryRun := func(c *policy.Config) { c.Policy.DryRun = true }
	for name, tc := range map[string]struct {
		changes []func(*policy.Config)
		want    int
	}{
		"count":                         {[]func(*policy.Config){limit(2), of(policy.UnreadableCount)}, 2},
		"refuse":                        {[]func(*policy.Config){limit(2), of(policy.UnreadableRefuse)}, 0},
		"refuse, dry run":               {[]func(*policy.Config){limit(2), of(policy.UnreadableRefuse), dryRun}, 4},
		"a rule for the unreadable":     {[]func(*policy.Config){limit(2), match(policy.AssuranceUnreadable, 1)}, 1},
		"a rule for the verified":       {[]func(*policy.Config){limit(2), match(policy.AssuranceVerified, policy.Unlimited)}, 2},
		"a rule for unknown by address": {[]func(*policy.Config){limit(2), match(policy.AssuranceAddress, 0)}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, tc.changes...)
			s.deps.Keys = dcKeys(t)
			granted := 0
			for range 4 {
				if unreadable(s, "10.1.2.3").opened(3, handle(byte(granted+1))) {
					granted++
				}
			}
			if granted != tc.want || s.heldAs(session.AssuranceUnreadable) != granted {
				t.Errorf("%d granted, want %d; %+v", granted, tc.want, s.table.Users())
			}
			told := eventsOf[IdentityUnreadable](s.events)
			if len(told) != 4 || told[0].Why.Result != secctx.Undecryptable || told[0].Mechanism != rpcparse.MechanismKerberos {
				t.Errorf("reported %+v", told)
			}
			for _, l := range eventsOf[LimitExceeded](s.events) {
				if l.User.Assurance != session.AssuranceUnreadable || l.Unread != "undecryptable" {
					t.Errorf("%+v", l)
				}
			}
		})
	}
}

func TestHeldBindIsRefusedWhenItsTimeIsOver(t *testing.T) {
	s := newSite(t, func(c *policy.Config) { c.Identity.Unreadable = policy.UnreadableHold })
	s.deps.Keys = dcKeys(t)
	var over func()
	s.deps.After = func(d time.Duration, f func()) {
		if d != unreadableHold {
			t.Errorf("held for %v", d)
		}
		over = f
	}
	d := unreadable(s, "10.1.2.3")
	call := nspiBind(3, nil)
	d.client(call.request(t, call.bindStub()))
	d.Wake() // for something else
	s.wake()
	d.wantAtServer()
	d.wantAtClient()
	over()
	s.wake()
	d.wantAtServer()
	if got := d.atClient(); len(got) != 1 {
		t.Fatalf("the client has %d PDUs", len(got))
	}
	s.wantSlots(0, 0, 0, 0)
}

// Otherwise being unreadable would be a further quota.
func TestUnreadableUsersShareTheQuotaOfTheirNetwork(t *testing.T) {
	s := newSite(t, limit(2))
	s.deps.Keys = dcKeys(t)
	granted := 0
	for n := range 6 {
		client := fmt.Sprintf("2001:db8::%d", n)
		var d *driver
		if n%2 == 0 {
			d = unreadable(s, client)
		} else {
			d = s.connect(from(client))
			d.bound(nil)
		}
		if d.opened(3, handle(byte(n+1))) {
			granted++
		}
	}
	if granted != 2 {
		t.Errorf("%d granted to one /64, want 2", granted)
	}
	if d := s.connect(from("2001:db8:0:1::1")); true {
		d.bound(nil)
		if !d.opened(2, handle(99)) {
			t.Error("another network has no quota of its own")
		}
	}
}

func TestNetworksAreAsConfigured(t *testing.T) {
	for _, tc := range []struct {
		address string
		want    string
	}{
		{"10.1.2.3", "10.1.0.0/16"}, {"::ffff:10.1.9.9", "10.1.0.0/16"}, {"2001:db8:1:2::3", "2001:db8::/32"}, {"fe80::1%eth0", "fe80::/32"},
	} {
		n := policy.Networks{IPv4: 16, IPv6: 32}
		if got := n.Of(netip.MustParseAddr(tc.address)).String(); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.address, got, tc.want)
		}
	}
}
