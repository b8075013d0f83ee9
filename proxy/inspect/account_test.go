package inspect

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/ntlm"
	"github.com/nspiproxy/nspiproxy/session"
)

var (
	lab        = Domain{"LAB", "lab.test"}
	labTrusted = []Domain{{"PARTNER", "partner.example"}, {"OLD", ""}}
)

func keyOfName(domain, user string) string {
	n := nameOf(&rpcparse.SecurityContext{Domain: domain, User: user}, lab, labTrusted)
	return session.Identity{Assurance: session.AssuranceClaimed, Account: n.account}.Key()
}

// TestSpellingsThatSambaTakesForOneAccount has what a Samba domain controller with winbindd made of the names that a client
// sent: its audit named one account for all of them.
func TestSpellingsThatSambaTakesForOneAccount(t *testing.T) {
	domains := []string{
		"", "LAB", "lab", "lab.test", "LAB.TEST", "lab.test.", "DC1", "dc1.lab.test", ".", "X0", "OTHER.TEST", "NT AUTHORITY", "WORKGROUP",
		"\x01", "\t", " ", "LAB ", " LAB", "L\x00AB", strings.Repeat("d", 300), strings.Repeat("D", 600), `LAB\svc-x`, `LAB\`, `\`, "LAB/",
		"alice@lab.test", "LAB@", "LÁB", "ＬＡＢ", "\u202eLAB", "\ufffd", "S-1-5-21-1-2-3", "127.0.40.10", "krbtgt", "DC=lab,DC=test", "*", "LAB*",
	}
	want, n := keyOfName("LAB", "alice"), 0
	check := func(domain, user string) {
		n++
		if got := keyOfName(domain, user); got != want {
			t.Errorf("%.20q %q: %q, want %q", domain, user, got, want)
		}
	}
	for _, domain := range domains {
		check(domain, "alice")
		check(domain, "ALICE ")
	}
	for _, user := range []string{"Alice", " alice", "alice@lab.test", "alice@LAB.TEST", "ALICE@lab.test", "alice@LAB", "alice@lab", "alice@lab.test."} {
		check("", user)
		check("LAB", user)
		check("X", user)
	}
	if n < 60 {
		t.Errorf("%d spellings only", n)
	}
}

func TestOtherAccountsAreNotTakenForIt(t *testing.T) {
	own := keyOfName("LAB", "alice")
	seen := map[string]string{own: `LAB\alice`}
	for _, tc := range [][2]string{
		{"PARTNER", "alice"}, {"OLD", "alice"}, {"", "bob"}, {"LAB", "alice$"}, {"", "alice@corp.example"}, {"", "alice@madeup"},
		{"", `LAB\alice`}, {"LAB", `svc-x\alice`}, {"", "al ice"}, {"LAB", "alice@lab.test@lab.test"}, {"", "alice.smith"},
	} {
		key := keyOfName(tc[0], tc[1])
		if other, ok := seen[key]; ok {
			t.Errorf("%q is %s", tc, other)
		}
		seen[key] = tc[0] + " and " + tc[1]
	}
}

func TestBothNamesOfATrustedDomainMeanIt(t *testing.T) {
	want := keyOfName("PARTNER", "alice")
	for _, tc := range [][2]string{
		{"partner", "alice"}, {"partner.example", "alice"}, {"PARTNER.EXAMPLE.", "Alice"}, {"", "alice@partner.example"}, {"LAB", "alice@PARTNER"}, {"X", "alice@partner"},
	} {
		if got := keyOfName(tc[0], tc[1]); got != want {
			t.Errorf("%q: %q, want %q", tc, got, want)
		}
	}
}

// Only case makes no difference in the name of a trusted domain: any other name is the domain controller's own, and a
// second spelling of it would be a further user.
func TestDomainThatIsOnlyLikeATrustedOneIsTheServersOwn(t *testing.T) {
	want := keyOfName("LAB", "alice")
	for _, domain := range []string{"PARTNER ", " PARTNER", "PÁRTNER", "ＰＡＲＴＮＥＲ", "PARTNER\u200e", "PARTNER\x01", "x.partner.example", "partner.example..", "PARTN\u0131R", "PARTNER$"} {
		if got := keyOfName(domain, "alice"); got != want {
			t.Errorf("%q: %q", domain, got)
		}
	}
}

// A client that does not ask the domain controller what it is called has no further names by that.
func TestWithoutTheServersNamesTheDomainIsTheOneOfEarlierHandshakes(t *testing.T) {
	said := &ntlm.Target{NetBIOSDomain: "LAB", DNSDomain: "lab.test"}
	for _, silent := range []*ntlm.Target{nil, {}, {DNSDomain: "other.test"}} {
		var o ownDomains
		if got := o.of("dc1", silent); got != (Domain{}) {
			t.Errorf("%+v: %+v", silent, got)
		}
		o.learn("dc1", o.of("dc1", said))
		o.learn("dc1", o.of("dc1", silent))
		o.learn("dc1", Domain{NetBIOS: "lab"})
		if got := o.of("dc1", silent); got != lab {
			t.Errorf("%+v: %+v", silent, got)
		}
		if got := o.of("dc2", silent); got != (Domain{}) {
			t.Errorf("another domain controller: %+v", got)
		}
		o.learn("dc1", Domain{NetBIOS: "NEW"})
		if got := o.of("dc1", silent); got != (Domain{NetBIOS: "NEW"}) {
			t.Errorf("renamed: %+v", got)
		}
	}
}

func TestRememberedDomainsOfServersAreBounded(t *testing.T) {
	var o ownDomains
	for n := range maxOwnDomains + 10 {
		o.learn(fmt.Sprint(n), lab)
	}
	if len(o.known) != maxOwnDomains {
		t.Error(len(o.known))
	}
}

func TestDirectoryIsAskedForWhatTheDomainControllerMeans(t *testing.T) {
	for want, name := range map[string][2]string{
		`LAB\alice`:           {"X7", "alice"},
		`\bob@lab.test`:       {"", "bob@lab.test"},
		`PARTNER\alice`:       {"partner.example", "alice"},
		`\alice@corp.example`: {"X", "alice@corp.example"},
	} {
		n := nameOf(&rpcparse.SecurityContext{Domain: name[0], User: name[1]}, lab, labTrusted)
		if got := n.question(); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}
