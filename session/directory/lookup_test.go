package directory

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestSpellingsOfOneAccountLeadToOneSID(t *testing.T) {
	d := newFakeServer(t, true, forestEntries()...).open(t, nil)
	for _, tc := range []struct {
		sid, account string
		spellings    []string
	}{
		{sidAlice, `LAB\alice`, []string{
			`LAB\alice`, `lab\ALICE`, `lab.example\alice`, `Lab.Example\Alice`, "alice", `\alice`, "ALICE",
			"alice.smith@corp.example", `\alice.smith@corp.example`, "Alice.Smith@CORP.example", "alice@lab.example", "alice@lab", `\alice@LAB.EXAMPLE`,
		}},
		{sidChildAlice, `KID\alice`, []string{`KID\alice`, `kid\Alice`, `child.lab.example\alice`, "alice@child.lab.example", "alice@KID"}},
		{sidBob, `LAB\bob`, []string{`LAB\bob`, "bob", "bob@lab.example", "robert@lab.example"}},
		{sidMachine, `LAB\HOST7$`, []string{`LAB\HOST7$`, `LAB\host7$`, "host7$@lab.example"}},
		{"S-1-5-21-1-2-3-1108", `LAB\müller`, []string{`LAB\müller`, `lab\MÜLLER`, "Müller@lab.example"}},
	} {
		for _, spelling := range tc.spellings {
			r, err := ask(t, d, spelling)
			if err != nil || r.SID != tc.sid || r.Account() != tc.account {
				t.Errorf("%s: %+v, %v, want %s, %s", spelling, r, err, tc.sid, tc.account)
			}
			if cached, found, ok := d.Cached(spelling); !ok || !found || cached.SID != tc.sid {
				t.Errorf("%s is not remembered: %+v, %v, %v", spelling, cached, found, ok)
			}
		}
	}
}

func TestGroupsAreThoseTheServerComputed(t *testing.T) {
	s := newFakeServer(t, true, forestEntries()...)
	r, err := ask(t, s.open(t, nil), `LAB\alice`)
	if want := []string{sidUsers, sidTeam}; err != nil || !slices.Equal(r.Groups, want) {
		t.Errorf("%v, %v, want %v", r.Groups, err, want)
	}
	s.set(func(s *fakeServer) { s.refuse["tokenGroups"] = 50 }) // insufficientAccessRights
	r, err = ask(t, s.open(t, nil), `LAB\alice`)
	if err != nil || r.SID != sidAlice || r.Groups != nil {
		t.Errorf("without the right to see groups: %+v, %v", r, err)
	}
}

func TestNameThatLeadsToNoOneAccountHasNoSID(t *testing.T) {
	d := newFakeServer(t, true, forestEntries()...).open(t, nil)
	for account, want := range map[string]error{
		`LAB\nobody`:           ErrNotFound,
		"nobody":               ErrNotFound,
		"nobody@lab.example":   ErrNotFound,
		"nobody@corp.example":  ErrNotFound,
		"alice@corp.example":   ErrNotFound, // no domain, and nobody's UPN
		`KID\bob`:              ErrNotFound,
		"bob@child":            ErrNotFound,
		`OTHER\alice`:          ErrNotFound,
		`WORKSTATION7\alice`:   ErrNotFound,
		"@lab.example":         ErrNotFound,
		"alice@":               ErrNotFound,
		"@":                    ErrNotFound,
		"twin@corp.example":    ErrAmbiguous,
		`LAB\alice@lab`:        ErrNotFound, // with a domain it is a sAMAccountName
		`LAB\corp.example\bob`: ErrNotFound,
	} {
		if r, err := ask(t, d, account); !errors.Is(err, want) || r.SID != "" {
			t.Errorf("%s: %+v, %v, want %v", account, r, err, want)
		}
	}
}

func TestOwnUPNComesBeforeTheImplicitOneOfAnother(t *testing.T) {
	entries := append(forestEntries(), person(labBase, "eve", "alice@lab.example", "S-1-5-21-1-2-3-1666"))
	d := newFakeServer(t, true, entries...).open(t, nil)
	if r, err := ask(t, d, "alice@lab.example"); err != nil || r.Account() != `LAB\eve` {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestHostileNamesAreNothingButValues looks at the filter on the wire: whatever
// a name holds, it is the one value that is compared with, byte for byte.
func TestHostileNamesAreNothingButValues(t *testing.T) {
	s := newFakeServer(t, true, forestEntries()...)
	d := s.open(t, nil)
	for _, user := range []string{
		"*", "a*", "alice)(objectClass=*", "*)(|(objectClass=*", "alice))(&(a=b", `\2a`, `ali\63e`, `\`, `\\`, "()", "&", "|(a=b)", "!", "=", "a=b", "<=", "~=x",
		"alice ", " alice", "é*", "日本(語)", "%s%d", "'; --", "alice#", "a,DC=evil", "\u202eecila", "\U0001F600",
		strings.Repeat("*", maxName), strings.Repeat("(", maxName), `:caseExactMatch:=alice`, "alice;binary", "/", "\u2028",
	} {
		before := len(s.asked())
		if r, err := ask(t, d, `LAB\`+user); !errors.Is(err, ErrNotFound) {
			t.Errorf("%.40q: %+v, %v", user, r, err)
		}
		asked := s.asked()[before:]
		if want := []fakeSearch{{labBase, "sAMAccountName", user}}; !slices.Equal(asked, want) {
			t.Errorf("%.40q: asked %.100q", user, asked)
		}
		if _, err := ask(t, d, user+"@corp.example"); !errors.Is(err, ErrNotFound) {
			t.Errorf("%.40q as a UPN: %v", user, err)
		}
	}
}

func TestNamesThatNobodyCanHaveAreNotAsked(t *testing.T) {
	s := newFakeServer(t, true, forestEntries()...)
	d := s.open(t, nil)
	for _, account := range []string{
		"", `\`, `LAB\`, "a\x00b", "LAB\\alice\n", "LA\x1bB\\alice", "\xff\xfe", "LAB\\al\uFFFDice", "\u0085", strings.Repeat("x", maxName+1),
		strings.Repeat("x", maxName+1) + `\alice`, "LAB\\" + strings.Repeat("é", 1<<16),
	} {
		if r, err := ask(t, d, account); !errors.Is(err, ErrNotFound) || r.SID != "" {
			t.Errorf("%.40q: %+v, %v", account, r, err)
		}
		if _, found, ok := d.Cached(account); !ok || found {
			t.Errorf("%.40q: found %v, known %v", account, found, ok)
		}
	}
	if n := s.accepted; n != 0 {
		t.Errorf("%d connections", n)
	}
}

func TestSearchKeepsToTheBase(t *testing.T) {
	s := newFakeServer(t, true, forestEntries()...)
	for _, tc := range []struct{ base, account, sid string }{
		{childBase, `KID\alice`, sidChildAlice},
		{childBase, "alice@child.lab.example", sidChildAlice},
		{childBase, `LAB\alice`, ""},
		{childBase, "alice.smith@corp.example", ""},
		{"cn=users," + labBase, `LAB\alice`, sidAlice},
		{"cn=users," + labBase, `KID\alice`, ""},
		{"OU=Staff," + labBase, `LAB\alice`, ""},
		{labBase, `KID\alice`, sidChildAlice},
		{"DC=example", `LAB\alice`, sidAlice},
	} {
		d := s.open(t, func(c *Config) { c.BaseDN = tc.base })
		r, err := ask(t, d, tc.account)
		if r.SID != tc.sid || (tc.sid == "") != errors.Is(err, ErrNotFound) {
			t.Errorf("%s below %s: %+v, %v", tc.account, tc.base, r, err)
		}
	}
}

func TestOrdinaryServerKnowsItsOwnDomain(t *testing.T) {
	s := newFakeServer(t, true, forestEntries()...)
	s.catalog = false
	d := s.open(t, nil)
	if r, err := ask(t, d, "alice.smith@corp.example"); err != nil || r.SID != sidAlice {
		t.Errorf("own domain: %+v, %v", r, err)
	}
	_, err := ask(t, d, `KID\alice`)
	if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "global catalog") {
		t.Errorf("other domain: %v", err)
	}
}

func TestServerThatIsNoActiveDirectoryIsDown(t *testing.T) {
	for name, change := range map[string]func(e []fakeEntry) []fakeEntry{
		"no contexts":           func(e []fakeEntry) []fakeEntry { e[0].attributes = nil; return e },
		"no domains":            func(e []fakeEntry) []fakeEntry { return append(e[:1:1], e[4:]...) },
		"no root":               func(e []fakeEntry) []fakeEntry { return e[1:] },
		"malformed names":       func(e []fakeEntry) []fakeEntry { e[2].attributes["nCName"] = []string{"lab"}; return e },
		"malformed own context": func(e []fakeEntry) []fakeEntry { e[0].attributes["defaultNamingContext"] = []string{"lab"}; return e },
	} {
		if r, err := ask(t, newFakeServer(t, true, change(forestEntries())...).open(t, nil), `LAB\alice`); !errors.Is(err, ErrDown) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

func TestMalformedSIDsAreNoAnswer(t *testing.T) {
	for name, change := range map[string]func(fakeEntry){
		"no SID":    func(e fakeEntry) { delete(e.attributes, "objectSid") },
		"short SID": func(e fakeEntry) { e.attributes["objectSid"] = []string{"\x01\x05"} },
		"group":     func(e fakeEntry) { e.attributes["tokenGroups"] = []string{"\x02"} },
	} {
		entries := forestEntries()
		change(entries[4])
		d := newFakeServer(t, true, entries...).open(t, nil)
		if r, err := ask(t, d, `LAB\alice`); !errors.Is(err, ErrDown) || r.SID != "" {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
		if _, _, ok := d.Cached(`LAB\alice`); ok {
			t.Errorf("%s is remembered", name)
		}
		if n := d.Stats(); n.Connects != 1 || n.Down != 1 {
			t.Errorf("%s: %+v", name, n)
		}
	}
}

func TestGroupsAreBounded(t *testing.T) {
	groups := make([]string, maxGroups+10)
	for i := range groups {
		groups[i] = fmt.Sprint("S-1-5-21-1-2-3-", 2000+i)
	}
	d := newFakeServer(t, true, append(forestEntries(), person(labBase, "many", "", "S-1-5-21-1-2-3-1999", groups...))...).open(t, nil)
	if r, err := ask(t, d, "many"); err != nil || len(r.Groups) != maxGroups {
		t.Errorf("%d groups, %v", len(r.Groups), err)
	}
}
