package inspect

import (
	"fmt"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/forge"
	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
	"github.com/nspiproxy/nspiproxy/session"
)

// What an accepted ticket says of the domain serves names in NTLM.
func TestTicketNamesTheDomainOfItsServer(t *testing.T) {
	s := newSite(t, func(c *policy.Config) {
		c.Policy.Rules = []policy.RuleConfig{{Name: "none", Match: policy.Match{Account: policy.MustPattern(`LAB\alice`)}, Limit: 0}}
	})
	d := s.connect()
	d.inspector.ticketUser(&secctx.Identity{SID: besSID, Domain: "PARTNER", DNSDomain: "partner.example", User: "besadmin", Foreign: true})
	d.inspector.ticketUser(&secctx.Identity{SID: besSID, Domain: "LAB", DNSDomain: "LAB.TEST", User: "besadmin"})
	d.inspector.ticketUser(&secctx.Identity{SID: besSID, Domain: "PARTNER", DNSDomain: "partner.example", User: "besadmin", Foreign: true})
	if n := binds(s, unnamed(t, "X", "alice")); n != 0 {
		t.Error("granted")
	}
}

// Neither kind of name in a ticket makes its account another one's.
func TestNamesOfTicketsThatLookLikeAnothersAreNotLearnt(t *testing.T) {
	s := newSite(t)
	for _, mallory := range []*secctx.Identity{
		{SID: besSID, Domain: "LAB", User: "mallory", UPN: "alice"}, {SID: besSID, Domain: "LAB", User: "alice@lab.test"},
	} {
		s.deps.tickets.learn(mallory, time.Now())
	}
	if n := binds(s, named(t, "LAB", "alice"), named(t, "", "alice@lab.test"), named(t, "LAB", "mallory")); n != 3 || s.heldBy(besSID) != 1 {
		t.Errorf("%d granted; %+v", n, s.table.Users())
	}
}

// Without a directory, a ticket says which SID an account has.
func TestKerberosAndNTLMOfOneAccountAreOneUser(t *testing.T) {
	s := newSite(t, limit(2))
	s.deps.Keys = dcKeys(t)
	c := ticketOfUser("alice", aliceSID, forge.OneLeg)
	d := s.connect()
	d.leg(rpcparse.PTypeBind, 1, c.Request(), nil)
	if !d.opened(2, handle(1)) || s.heldBy(aliceSID) != 1 {
		t.Fatalf("%+v", s.table.Users())
	}
	// The PAC of these tests has no NetBIOS name, as a server without a CHALLENGE.
	s.deps.tickets.learn(&secctx.Identity{SID: aliceSID, Domain: "LAB", User: "alice", UPN: "a.smith@corp.example"}, time.Now())
	if n := binds(s, named(t, "LAB", "alice"), named(t, "X", "ALICE"), named(t, "", "a.smith@corp.example")); n != 1 || s.heldBy(aliceSID) != 2 {
		t.Errorf("%d granted; %+v", n, s.table.Users())
	}
}

func TestNamesOfTicketsAreForgotten(t *testing.T) {
	var names ticketNames
	now := time.Now()
	id := &secctx.Identity{SID: aliceSID, Domain: "LAB", User: "alice"}
	names.learn(id, now)
	of := session.Account{Domain: "lab", User: "Alice"}
	if names.find(of, now.Add(ticketNameTTL)) != id || names.find(of, now.Add(ticketNameTTL+1)) != nil || names.find(of, now) != nil {
		t.Error("it is remembered for another time than it should")
	}
	names.learn(&secctx.Identity{SID: "S-1-5-21-9-9-9-1000", Domain: "LAB", User: "alice", Foreign: true}, now)
	if names.find(of, now) != nil {
		t.Error("another realm says who alice is")
	}
	for n := range maxTicketNames + 100 {
		names.learn(&secctx.Identity{SID: "S", Domain: "LAB", User: fmt.Sprint(n)}, now)
	}
	if len(names.known) != maxTicketNames {
		t.Errorf("%d names", len(names.known))
	}
}
