package inspect

import (
	"fmt"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
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
