package inspect

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/oiweiwei/gokrb5.fork/v9/keytab"

	"github.com/nspiproxy/nspiproxy/internal/testkit/forge"
	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/krb5"
	"github.com/nspiproxy/nspiproxy/session"
)

// named is a context of a user as its client writes the name, on a domain controller that says what it is called.
func named(t testing.TB, domain, user string) *secured {
	sec := asUser(t, user, rpcparse.LevelConnect)
	sec.client.Domain = domain
	sec.server.DNSDomain, sec.server.DNSComputer = "lab.test", "dc1.lab.test"
	return sec
}

// binds opens sessions on connections of their own, and returns how many are granted.
func binds(s *site, contexts ...*secured) (granted int) {
	for n, sec := range contexts {
		d := s.connect(from(fmt.Sprintf("10.9.%d.%d", n/200, 1+n%200)))
		d.bound(sec)
		call := nspiBind(2, sec)
		d.client(call.request(s.t, call.bindStub()))
		if len(d.atServer()) == 1 {
			granted++
			d.server(call.response(s.t, call.grantedStub(handle(byte(n+1)))))
		}
	}
	return granted
}

func madeUp(t testing.TB, n int) (all []*secured) {
	for i := range n {
		all = append(all, named(t, fmt.Sprintf("X%d", i), "alice"))
	}
	return all
}

func TestMadeUpDomainsAreOneUser(t *testing.T) {
	down := Answer{Down: errDown}
	inDirectory := map[string]Answer{`LAB\alice`: {Found: true, SID: aliceSID, Name: labAlice}}
	for name, tc := range map[string]struct {
		directory Directory
		whenDown  policy.WhenDown
		want      int
	}{
		"no directory":         {nil, "", 5},
		"directory":            {&fakeDirectory{domains: []Domain{{"LAB", "lab.test"}}, known: inDirectory}, "", 5},
		"directory is down":    {&fakeDirectory{known: map[string]Answer{`LAB\alice`: down}}, policy.WhenDownClaimed, 5},
		"down, refuse":         {&fakeDirectory{known: map[string]Answer{`LAB\alice`: down}}, policy.WhenDownRefuse, 0},
		"not in the directory": {&fakeDirectory{domains: []Domain{{"LAB", ""}}, known: map[string]Answer{`LAB\alice`: {}}}, "", 5},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, limit(5), func(c *policy.Config) { c.Identity.Directory.WhenDown = tc.whenDown })
			if tc.directory != nil {
				s.deps.Directory = tc.directory
			}
			if n := binds(s, madeUp(t, 60)...); n != tc.want {
				t.Errorf("%d of 60 are granted, want %d", n, tc.want)
			}
		})
	}
}

// unnamed is a context on a domain controller that does not say what it is called, as the client has not asked.
func unnamed(t testing.TB, domain, user string) *secured {
	sec := named(t, domain, user)
	sec.server.Domain, sec.server.Computer, sec.server.DNSDomain, sec.server.DNSComputer = "", "", "", ""
	return sec
}

func TestMadeUpDomainsAreOneUserWhereTheServerIsNotAskedForItsName(t *testing.T) {
	for name, tc := range map[string]struct {
		directory Directory
		before    []*secured
		want      int
	}{
		"at first":              {nil, nil, 5},
		"behind a usual client": {nil, []*secured{named(t, "LAB", "alice")}, 5},
		"directory": {&fakeDirectory{domains: []Domain{lab}, known: map[string]Answer{
			`\alice`: {Found: true, SID: aliceSID, Name: labAlice}, `LAB\alice`: {Found: true, SID: aliceSID, Name: labAlice},
		}}, nil, 5},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, limit(5))
			if tc.directory != nil {
				s.deps.Directory = tc.directory
			}
			all := tc.before
			for n := range 30 {
				all = append(all, unnamed(t, fmt.Sprintf("X%d", n), "alice"))
			}
			if n := binds(s, all...); n != tc.want {
				t.Errorf("%d of %d are granted, want %d", n, len(all), tc.want)
			}
		})
	}
}

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

// The user principal name of one account may look like the name of another with its domain. The domain controller takes
// it for the first (MS-ADTS 5.1.1.1.1).
func TestUserPrincipalNameIsOfTheAccountThatHasIt(t *testing.T) {
	const bobSID = "S-1-5-21-1-2-3-1120"
	bob := Answer{Found: true, SID: bobSID, Name: policy.Name{Domain: "LAB", DNSDomain: "lab.test", User: "bob", UPN: "alice@lab.test"}}
	inDirectory := &fakeDirectory{domains: []Domain{lab}, known: map[string]Answer{
		`LAB\alice`: {Found: true, SID: aliceSID, Name: labAlice}, `LAB\bob`: bob, `\alice@lab.test`: bob, `\alice@LAB.TEST`: bob,
	}}
	for name, s := range map[string]*site{"directory": newSite(t, limit(2)), "tickets": newSite(t, limit(2))} {
		if name == "directory" {
			s.deps.Directory = inDirectory
		} else {
			s.deps.tickets.learn(&secctx.Identity{SID: aliceSID, Domain: "LAB", User: "alice"}, time.Now())
			s.deps.tickets.learn(&secctx.Identity{SID: bobSID, Domain: "LAB", User: "bob", UPN: "alice@lab.test"}, time.Now())
		}
		n := binds(s, named(t, "LAB", "bob"), named(t, "", "alice@lab.test"), named(t, "X", "alice@LAB.TEST"))
		if m := binds(s, named(t, "LAB", "alice"), named(t, "", "alice")); n != 2 || m != 2 || s.heldBy(bobSID) != 2 || s.heldBy(aliceSID) != 2 {
			t.Errorf("%s: %d of bob's are granted and %d of alice's; %+v", name, n, m, s.table.Users())
		}
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

// A domain of a name is known to be trusted with the directory's first answer only.
func TestUserPrincipalNameIsReadAgainWithTheFirstAnswer(t *testing.T) {
	s := newSite(t, limit(1))
	names := &fakeDirectory{}
	s.deps.Directory = names
	sec := named(t, "", "alice@partner.example")
	d := s.connect()
	d.bound(sec)
	call := nspiBind(2, sec)
	d.client(call.request(t, call.bindStub()))
	names.domains = []Domain{lab, {"PARTNER", "partner.example"}}
	names.answer(s, Answer{})
	d.server(call.response(t, call.grantedStub(handle(1))))
	users := s.table.Users()
	if len(users) != 1 || users[0].User.Account != (session.Account{Domain: "PARTNER", User: "alice"}) {
		t.Errorf("%+v", users)
	}
}

func TestRulesMeanTheAccountNotTheSpelling(t *testing.T) {
	rule := func(pattern string) func(*policy.Config) {
		return func(c *policy.Config) {
			c.Policy.Rules = []policy.RuleConfig{{Name: "none", Match: policy.Match{Account: policy.MustPattern(pattern)}, Limit: 0}}
		}
	}
	for _, pattern := range []string{`LAB\alice`, `lab.test\ali*`, `alice@lab.test`, `*\alice`, `*alice`} {
		if n := binds(newSite(t, rule(pattern)), madeUp(t, 10)...); n != 0 {
			t.Errorf("%s: %d of 10 are granted", pattern, n)
		}
	}
	// A separator in the name of a domain is no separator.
	s := newSite(t, limit(0), func(c *policy.Config) {
		c.Policy.Rules = []policy.RuleConfig{{Name: "services", Match: policy.Match{Account: policy.MustPattern(`LAB\svc-*`)}, Limit: policy.Unlimited}}
	})
	if n := binds(s, named(t, `LAB\svc-x`, "alice"), named(t, "", `svc-x\alice`)); n != 1 { // the second is an account of that name
		t.Errorf("%d are granted by a rule for services", n)
	}
}

func TestTrustedDomainsAreDomainsOfTheirOwn(t *testing.T) {
	s := newSite(t, limit(1), func(c *policy.Config) {
		c.Identity.Domains = []policy.Domain{{NetBIOS: "PARTNER", DNS: "partner.example"}}
	})
	if n := binds(s, named(t, "LAB", "alice"), named(t, "PARTNER", "alice"), named(t, "partner.example", "ALICE"), named(t, "X", "alice")); n != 2 {
		t.Errorf("%d are granted, want one of each domain", n)
	}
}

// dcKeys are the key of the domain controller.
func dcKeys(t testing.TB) KeySource {
	e := keytab.NewEntry()
	e.Principal = keytab.Principal{NumComponents: 1, Realm: forge.Realm, Components: []string{"DC1$"}, NameType: 1}
	e.KVNO8, e.KVNO, e.Key = 5, 5, forge.NewKey(1)
	file := keytab.New()
	file.Entries = []keytab.Entry{e}
	b, err := file.Marshal()
	kt, err2 := krb5.ParseKeytab(must(t, b, err))
	if err2 != nil {
		t.Fatal(err2)
	}
	return keyring{ticketKeys{service: kt.Service("dc1.lab.test")}}
}

const besSID = "S-1-5-21-1-2-3-1199"

func ticketOfUser(user, sid string, flags uint32) *forge.Client {
	return &forge.Client{Ticket: forge.NewTicket(forge.NewKey(1), user, sid), Flags: flags}
}

// leg sends a token of Kerberos in a bind or alter_context, and the server's answer.
func (d *driver) leg(ptype rpcparse.PType, call uint32, token, answer []byte) {
	t := d.site.t
	t.Helper()
	of := func(token []byte) *rpcparse.Verifier {
		if token == nil {
			return nil
		}
		return &rpcparse.Verifier{Type: rpcparse.AuthKerberos, Level: rpcparse.LevelConnect, ContextID: 7, Token: token}
	}
	answers, group := rpcparse.PTypeAlterContextResp, uint32(0)
	if ptype == rpcparse.PTypeBind {
		d.site.groups++
		answers, group = rpcparse.PTypeBindAck, 0x1000+d.site.groups
	}
	d.client(bindPDU(t, ptype, call, 0, of(token)))
	d.server(ackPDU(t, answers, call, group, of(answer)))
	d.atServer()
	d.atClient()
}

// opened makes a session without a verifier, which the server grants if it gets it.
func (d *driver) opened(call uint32, h nspi.Handle) bool {
	r := nspiBind(call, nil)
	d.client(r.request(d.site.t, r.bindStub()))
	if len(d.atServer()) == 0 {
		d.atClient()
		return false
	}
	d.server(r.response(d.site.t, r.grantedStub(h)))
	d.atClient()
	return true
}

// heldBy returns how many sessions a SID, or everybody of an assurance, has.
func (s *site) heldBy(sid string) (n int) {
	for _, u := range s.table.Users() {
		if u.User.SID == sid {
			n += u.Held
		}
	}
	return n
}

func (s *site) heldAs(a session.Assurance) (n int) {
	for _, u := range s.table.Users() {
		if u.User.Assurance == a {
			n += u.Held
		}
	}
	return n
}

// A domain controller runs calls before the third leg as anonymous ones.
func TestReplayedTicketWithoutItsLastLegTakesNothingFromItsOwner(t *testing.T) {
	s := newSite(t, limit(2))
	s.deps.Keys = dcKeys(t)
	bes := ticketOfUser("besadmin", besSID, forge.DCEStyle)
	seen := bes.Request()
	for n := range 2 {
		d := s.connect(from("10.66.0.1"))
		d.leg(rpcparse.PTypeBind, 1, seen, bes.Answer(nil))
		if !d.opened(2, handle(byte(n+1))) {
			t.Fatal("not forwarded")
		}
	}
	if s.heldBy(besSID) != 0 || s.heldAs(session.AssuranceAddress) != 2 {
		t.Errorf("%+v", s.table.Users())
	}
	d := s.connect(from("10.1.0.1"))
	answer := bes.Answer(nil)
	d.leg(rpcparse.PTypeBind, 1, seen, answer)
	third, _ := bes.Third(answer)
	d.leg(rpcparse.PTypeAlterContext, 2, third, nil)
	for n := range 3 {
		if granted := d.opened(uint32(n+3), handle(byte(n+10))); granted != (n < 2) {
			t.Errorf("besadmin's own bind %d: granted %t", n, granted)
		}
	}
	if s.heldBy(besSID) != 2 {
		t.Errorf("%+v", s.table.Users())
	}
}

// The last leg may come behind a call that was run as anonymous.
func TestLastLegBehindAnAnonymousCallIsFollowed(t *testing.T) {
	s := newSite(t)
	s.deps.Keys = dcKeys(t)
	bes := ticketOfUser("besadmin", besSID, forge.DCEStyle)
	d := s.connect()
	request := bes.Request()
	answer := bes.Answer(nil)
	d.leg(rpcparse.PTypeBind, 1, request, answer)
	d.opened(2, handle(1))
	third, _ := bes.Third(answer)
	d.leg(rpcparse.PTypeAlterContext, 3, third, nil)
	d.opened(4, handle(2))
	if s.heldBy(besSID) != 1 || s.heldAs(session.AssuranceAddress) != 1 {
		t.Errorf("%+v", s.table.Users())
	}
}

func TestTicketsOfEveryFormAreCountedBySID(t *testing.T) {
	for name, tc := range map[string]struct {
		client *forge.Client
		answer func(*forge.Client) []byte
	}{
		"two legs":       {ticketOfUser("besadmin", besSID, forge.Mutual), func(c *forge.Client) []byte { return forge.Frame(c.Answer(nil)) }},
		"one leg":        {ticketOfUser("besadmin", besSID, forge.OneLeg), func(*forge.Client) []byte { return nil }},
		"plain checksum": {&forge.Client{Ticket: forge.NewTicket(forge.NewKey(1), "besadmin", besSID), Checksum: 16, Options: 0x20}, func(c *forge.Client) []byte { return c.Answer(nil) }},
	} {
		s := newSite(t, limit(1))
		s.deps.Keys = dcKeys(t)
		d := s.connect()
		request := tc.client.Request()
		d.leg(rpcparse.PTypeBind, 1, request, tc.answer(tc.client))
		first, second := d.opened(2, handle(1)), d.opened(3, handle(2))
		if !first || second || s.heldBy(besSID) != 1 {
			t.Errorf("%s: granted %t, %t; %+v", name, first, second, s.table.Users())
		}
	}
}

// A leg behind the AP-REP that ends an exchange of two changes nothing for a domain controller that keeps the context.
func TestLegBehindTheLastOneLeavesTheUser(t *testing.T) {
	s := newSite(t)
	s.deps.Keys = dcKeys(t)
	bes := ticketOfUser("besadmin", besSID, forge.Mutual)
	d := s.connect()
	request := bes.Request()
	d.leg(rpcparse.PTypeBind, 1, request, bes.Answer(nil))
	v := rpcparse.Verifier{Type: rpcparse.AuthKerberos, Level: rpcparse.LevelConnect, ContextID: 7, Token: []byte{0xa1, 0x85, 0}}
	d.client(bindPDU(t, rpcparse.PTypeAlterContext, 2, 0, &v)).server(rpc{id: 2}.fault(t, rpcparse.StatusAccessDenied))
	d.atServer()
	d.atClient()
	if !d.opened(3, handle(1)) || s.heldBy(besSID) != 1 {
		t.Errorf("%+v; closed: %v", s.table.Users(), d.err)
	}
}

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

// A domain controller does not know a handle under another user or level than it was made under.
func TestHandleThatIsUnknownToAnotherUserIsStillCounted(t *testing.T) {
	s := newSite(t, limit(5))
	mine, other := alice(t, rpcparse.LevelConnect), asUser(t, "bob", rpcparse.LevelConnect)
	mine.dummy, other.dummy = true, true
	other.id = 9
	d := s.connect()
	d.bound(mine)
	d.altered(other)
	d.granted(nspiBind(2, mine), handle(1))
	unbind := func(id uint32, sec *secured) rpc { return rpc{id: id, opnum: nspi.OpnumUnbind, sec: sec} }
	for n, answer := range []func(rpc) []byte{
		func(r rpc) []byte { return r.fault(t, rpcparse.StatusContextMismatch) },
		func(r rpc) []byte { return r.response(t, r.unboundStub(nspi.UnbindFailure)) },
	} {
		call := unbind(uint32(3+n), other)
		d.client(call.request(t, call.unbindStub(handle(1))))
		d.server(answer(call))
	}
	s.wantSlots(1, 0, 0, 0)
	call := unbind(5, mine)
	d.client(call.request(t, call.unbindStub(handle(1))))
	d.server(call.fault(t, rpcparse.StatusContextMismatch))
	s.wantSlots(0, 0, 0, 0)
}

// Two contexts and a request that names none: it is one user's, if they are of one.
func TestRequestForOneOfSeveralContextsIsForwarded(t *testing.T) {
	for name, tc := range map[string]struct {
		second    string
		assurance session.Assurance
	}{
		"of one user":  {"ALICE", session.AssuranceClaimed},
		"of two users": {"bob", session.AssuranceUnreadable},
	} {
		s := newSite(t)
		first, second := alice(t, rpcparse.LevelConnect), asUser(t, tc.second, rpcparse.LevelConnect)
		second.id = 9
		d := s.connect()
		d.bound(first)
		d.altered(second)
		if !d.opened(2, handle(1)) || s.heldAs(tc.assurance) != 1 {
			t.Errorf("%s: %+v; closed: %v", name, s.table.Users(), d.err)
		}
	}
}

// Somebody behind the same address joins an association and does not log on.
func TestStrangerInAnAssociationIsEndedWhenItsUsersHaveLeft(t *testing.T) {
	s := newSite(t)
	sec := alice(t, rpcparse.LevelConnect)
	owner := s.connect()
	group := owner.bound(sec)
	owner.granted(nspiBind(2, sec), handle(1))
	stranger := s.connect()
	stranger.joined(group, group, nil)
	owner.close()
	s.wantSlots(1, 0, 0, 0)
	s.pass(session.StrangerTime)
	if !errors.Is(stranger.ended, errStranger) {
		t.Fatalf("the stranger goes on: %v", stranger.ended)
	}
	stranger.close()
	s.wantSlots(0, 0, 0, 0)
}

func TestSecondConnectionOfAUserKeepsTheSessions(t *testing.T) {
	s := newSite(t)
	sec, again := alice(t, rpcparse.LevelConnect), alice(t, rpcparse.LevelConnect)
	owner := s.connect()
	group := owner.bound(sec)
	owner.granted(nspiBind(2, sec), handle(1))
	second := s.connect()
	second.joined(group, group, again)
	again.dummy = true
	second.exchanged(rpc{id: 5, ctx: ctxOther, sec: again}, make([]byte, 16), make([]byte, 16))
	owner.close()
	s.pass(2 * session.StrangerTime)
	if second.ended != nil {
		t.Fatalf("it was ended: %v", second.ended)
	}
	s.wantSlots(1, 0, 0, 0)
}

// A second connection whose ticket no key opens is a user's, because a keytab may be out of date; one whose token is nonsense is
// a stranger's.
func TestConnectionWithATicketOfANewKeyKeepsTheSessions(t *testing.T) {
	for name, tc := range map[string]struct {
		token []byte
		ended bool
	}{
		"a key that is not known": {(&forge.Client{Ticket: forge.NewTicket(forge.NewKey(2), "alice", aliceSID), Flags: forge.OneLeg}).Request(), false},
		"no ticket":               {[]byte("\x6e\x02ab"), true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.deps.Keys = dcKeys(t)
			owner := s.connect()
			owner.leg(rpcparse.PTypeBind, 1, ticketOfUser("alice", aliceSID, forge.OneLeg).Request(), nil)
			if !owner.opened(2, handle(1)) || s.heldBy(aliceSID) != 1 {
				t.Fatalf("%+v", s.table.Users())
			}
			group := 0x1000 + s.groups
			second := s.connect()
			second.client(bindPDU(t, rpcparse.PTypeBind, 1, group, &rpcparse.Verifier{
				Type: rpcparse.AuthKerberos, Level: rpcparse.LevelConnect, ContextID: 7, Token: tc.token,
			}))
			second.server(ackPDU(t, rpcparse.PTypeBindAck, 1, group, nil))
			second.atServer()
			second.atClient()
			second.opened(5, handle(2))
			owner.close()
			s.pass(2 * session.StrangerTime)
			if got := errors.Is(second.ended, errStranger); got != tc.ended {
				t.Errorf("ended: %v, want %t", second.ended, tc.ended)
			}
		})
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
