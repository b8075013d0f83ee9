package directory

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

func TestConnectionsAreEncryptedBothWays(t *testing.T) {
	for _, ldaps := range []bool{true, false} {
		s := newFakeServer(t, ldaps, forestEntries()...)
		if r, err := ask(t, s.open(t, nil), `LAB\alice`); err != nil || r.SID != sidAlice {
			t.Errorf("ldaps %v: %+v, %v", ldaps, r, err)
		}
	}
}

// TestNothingIsSaidToAServerThatIsNotTheOne counts binds: the password must not
// reach anybody whose certificate does not prove who he is.
func TestNothingIsSaidToAServerThatIsNotTheOne(t *testing.T) {
	for _, ldaps := range []bool{true, false} {
		for name, change := range map[string]func(*fakeServer, *Config){
			"unknown authority": func(_ *fakeServer, c *Config) { c.RootCAs = nil },
			"other host":        func(_ *fakeServer, c *Config) { c.URL = strings.Replace(c.URL, "127.0.0.1", "localhost", 1) },
			"no StartTLS":       func(s *fakeServer, _ *Config) { s.refuse["starttls"] = ldap.LDAPResultUnavailable },
		} {
			s := newFakeServer(t, ldaps, forestEntries()...)
			if ldaps && name == "no StartTLS" {
				continue
			}
			d := s.open(t, func(c *Config) { change(s, c) })
			if r, err := ask(t, d, `LAB\alice`); !errors.Is(err, ErrDown) || r.SID != "" {
				t.Errorf("ldaps %v, %s: %+v, %v", ldaps, name, r, err)
			}
			d.Close()
			s.stop()
			if len(s.binds) != 0 {
				t.Errorf("ldaps %v, %s: bound as %v", ldaps, name, s.binds)
			}
		}
	}
}

func TestWrongPasswordIsNotTriedForEveryName(t *testing.T) {
	s := newFakeServer(t, true, forestEntries()...)
	s.users["CN=svc"] = "another"
	d := s.open(t, func(c *Config) { c.Secret = func() ([]byte, error) { return []byte("hunter2"), nil } })
	for i := range 20 {
		_, err := ask(t, d, fmt.Sprint(`LAB\user`, i))
		if !errors.Is(err, ErrDown) || !strings.Contains(err.Error(), "binding as CN=svc") {
			t.Fatal(err)
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Fatalf("the error tells the password: %v", err)
		}
	}
	s.set(func(s *fakeServer) {
		if len(s.binds) != 1 {
			t.Errorf("%d binds", len(s.binds))
		}
		s.users["CN=svc"] = "hunter2"
	})
	eventually(t, "the password is tried again", func() bool {
		r, err := ask(t, d, `LAB\alice`)
		return err == nil && r.SID == sidAlice
	})
}

func TestPasswordThatCannotBeReadIsNoPassword(t *testing.T) {
	s := newFakeServer(t, true, forestEntries()...)
	for name, secret := range map[string]func() ([]byte, error){
		"error": func() ([]byte, error) { return nil, errors.New("mode 0644") },
		"empty": func() ([]byte, error) { return []byte("\r\n"), nil }, // would be an anonymous bind
	} {
		d := s.open(t, func(c *Config) { c.Secret = secret })
		if _, err := ask(t, d, `LAB\alice`); !errors.Is(err, ErrDown) || (name == "error" && !strings.Contains(err.Error(), "mode 0644")) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.stop()
	if len(s.binds) != 0 {
		t.Errorf("bound as %v", s.binds)
	}
}

func TestDirectoryThatIsDownIsNotTriedForEveryName(t *testing.T) {
	s := newFakeServer(t, true, forestEntries()...)
	address := s.listener.Addr().String()
	d := s.open(t, nil)
	s.stop()
	start := time.Now()
	for i := range 100 {
		if _, err := ask(t, d, fmt.Sprint(`LAB\user`, i)); !errors.Is(err, ErrDown) {
			t.Fatal(err)
		}
	}
	if took, n := time.Since(start), d.Stats(); took < minPause && n.Failures != 1 {
		t.Errorf("%d attempts in %v", n.Failures, took)
	}
	s.listen(address)
	eventually(t, "the directory that is up again is asked", func() bool {
		r, err := ask(t, d, `LAB\alice`)
		return err == nil && r.SID == sidAlice
	})
}

func TestConnectionThatTheServerClosedIsMadeAnew(t *testing.T) {
	s := newFakeServer(t, true, forestEntries()...)
	d := s.open(t, nil)
	for i := range 3 * workers {
		if _, err := ask(t, d, fmt.Sprint(`LAB\user`, i)); !errors.Is(err, ErrNotFound) {
			t.Fatal(err)
		}
		s.disconnect()
	}
	// Closed as an answer, on a connection that has answered before.
	d2 := s.open(t, nil)
	for i := range workers {
		_, _ = ask(t, d2, fmt.Sprint(`LAB\user`, i))
	}
	s.set(func(s *fakeServer) { s.hangUp = 1 })
	if r, err := ask(t, d2, `LAB\alice`); err != nil || r.SID != sidAlice {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestServerThatAlwaysHangsUpIsDown(t *testing.T) {
	s := newFakeServer(t, true, forestEntries()...)
	for name, change := range map[string]func(*fakeServer){
		"hangs up": func(s *fakeServer) { s.hangUp = 1 << 30 },
		"garbage":  func(s *fakeServer) { s.hangUp, s.garbage = 0, "\x30\x03\x02\x01\x01" }, // a message without content
		"2 GiB":    func(s *fakeServer) { s.garbage = "\x30\x84\x7f\xff\xff\xff" },
	} {
		s.set(change)
		d := s.open(t, nil)
		r, err := ask(t, d, `LAB\alice`)
		if !errors.Is(err, ErrDown) || r.SID != "" {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
		if name == "2 GiB" && !strings.Contains(err.Error(), "greater than maximum") {
			t.Errorf("%s: %v", name, err) // allocated
		}
		if _, _, ok := d.Cached(`LAB\alice`); ok {
			t.Errorf("%s: remembered", name)
		}
		s.set(func(s *fakeServer) { s.hangUp, s.garbage = 0, "" })
	}
}

func TestRefusalsAreNoAnswersAboutTheName(t *testing.T) {
	for _, code := range []int{
		ldap.LDAPResultOperationsError, ldap.LDAPResultBusy, ldap.LDAPResultUnavailable, ldap.LDAPResultUnwillingToPerform,
		ldap.LDAPResultInsufficientAccessRights, ldap.LDAPResultTimeLimitExceeded, ldap.LDAPResultAdminLimitExceeded,
	} {
		s := newFakeServer(t, true, forestEntries()...)
		d := s.open(t, nil)
		s.set(func(s *fakeServer) { s.refuse["objectSid"] = code })
		if r, err := ask(t, d, `LAB\alice`); !errors.Is(err, ErrDown) || r.SID != "" {
			t.Errorf("code %d: %+v, %v", code, r, err)
		}
		s.set(func(s *fakeServer) { s.refuse["objectSid"] = 0 })
		if r, err := ask(t, d, `LAB\alice`); err != nil || r.SID != sidAlice {
			t.Errorf("after code %d: %+v, %v", code, r, err)
		}
	}
}

func TestBaseThatDoesNotExistHoldsNobody(t *testing.T) {
	s := newFakeServer(t, true, forestEntries()...)
	s.refuse["objectSid"] = ldap.LDAPResultNoSuchObject
	if _, err := ask(t, s.open(t, nil), `LAB\alice`); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
}

func TestConnectionIsOfTheAccountConfigured(t *testing.T) {
	s := newFakeServer(t, true, forestEntries()...)
	s.users[`LAB\svc`] = "pä ss\n"
	d := s.open(t, func(c *Config) {
		c.BindDN, c.Secret = `LAB\svc`, func() ([]byte, error) { return []byte("pä ss\n"), nil }
	})
	_, err := ask(t, d, `LAB\alice`) // only line ends at the end do not count
	if !errors.Is(err, ErrDown) {
		t.Error(err)
	}
	s.set(func(s *fakeServer) { s.users[`LAB\svc`] = "pä ss" })
	eventually(t, "the bind succeeds", func() bool { _, err := ask(t, d, `LAB\alice`); return err == nil })
	if slices.ContainsFunc(s.binds, func(name string) bool { return name != `LAB\svc` }) {
		t.Error(s.binds)
	}
}

func TestKerberosBindFailsCleanly(t *testing.T) {
	s := newFakeServer(t, true, forestEntries()...)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	kdc := closed.Addr().String()
	closed.Close()
	conf := "[libdefaults]\n default_realm = LAB.EXAMPLE\n udp_preference_limit = 1\n[realms]\n LAB.EXAMPLE = {\n  kdc = " + kdc + "\n }\n"
	// One key of svc@LAB.EXAMPLE, aes256 (RFC 3962), all bytes 'k'.
	entry := "\x00\x01\x00\x0bLAB.EXAMPLE\x00\x03svc\x00\x00\x00\x01\x00\x00\x00\x00\x01\x00\x12\x00\x20" + strings.Repeat("k", 32)
	keytab := "\x05\x02\x00\x00\x00" + string(rune(len(entry))) + entry
	for name, tc := range map[string]struct{ bind, conf, keytab string }{
		"no KDC":            {"svc@LAB.EXAMPLE", conf, keytab},
		"no realm":          {"svc", conf, keytab},
		"realm without KDC": {"svc@LAB.EXAMPLE", "[realms]\n", keytab},
		"empty keytab":      {"svc@LAB.EXAMPLE", conf, ""},
		"short keytab":      {"svc@LAB.EXAMPLE", conf, keytab[:20]},
		"other keytab":      {"bob@LAB.EXAMPLE", conf, keytab},
		"no keytab":         {"svc@LAB.EXAMPLE", conf, "hunter2 hunter2 hunter2"},
	} {
		d := s.open(t, func(c *Config) {
			c.BindDN, c.Kerberos, c.Secret = tc.bind, &Kerberos{Config: tc.conf}, func() ([]byte, error) { return []byte(tc.keytab), nil }
		})
		_, err := ask(t, d, `LAB\alice`)
		if !errors.Is(err, ErrDown) || !strings.Contains(err.Error(), "binding as "+tc.bind) {
			t.Errorf("%s: %v", name, err)
		}
		if strings.Contains(err.Error(), "kkkk") || strings.Contains(err.Error(), "6b6b") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error tells the key: %v", name, err)
		}
		if name == "2 GiB" && !strings.Contains(err.Error(), "greater than maximum") {
			t.Errorf("%s: %v", name, err) // allocated
		}
	}
}

// Each of its messages is small, and they do not end before the sum is not.
func TestSumOfAnswersIsBounded(t *testing.T) {
	s := newFakeServer(t, true, forestEntries()...)
	envelope := func(id int64, answer *ber.Packet) []byte {
		p := ber.NewSequence("")
		p.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, id, ""))
		p.AppendChild(answer)
		return p.Bytes()
	}
	const searchOfAccount = 5 // after the bind, two for the forest and one for the trusts
	alice := person(labBase, "alice", "", sidAlice)
	one := envelope(searchOfAccount, alice.encode([]string{"objectSid", "sAMAccountName"}))
	done := envelope(searchOfAccount, result(ldap.ApplicationSearchResultDone, ldap.LDAPResultSuccess))
	elsewhere := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationSearchResultReference, nil, "")
	elsewhere.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, "ldap://other.example/", ""))
	reference := envelope(searchOfAccount, elsewhere)
	for size, want := range map[int]error{maxAnswers / 4: ErrAmbiguous, 2 * maxAnswers: ErrDown} {
		s.set(func(s *fakeServer) {
			s.garbage = string(one) + string(one) + strings.Repeat(string(reference), size/len(reference)) + string(done)
		})
		d := s.open(t, nil)
		if _, err := ask(t, d, `LAB\alice`); !errors.Is(err, want) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

// The time that it takes to tell which domain an account is in grows with both.
func TestNumberOfDomainsAndAccountsIsBounded(t *testing.T) {
	t.Run("domains", func(t *testing.T) {
		entries := forestEntries()
		for i := range maxDomains {
			entries = append(entries, crossRef(fmt.Sprint("DC=", i), fmt.Sprint("N", i), fmt.Sprint(i, ".example")))
		}
		s := newFakeServer(t, true, entries...)
		s.unlimited = true
		if _, err := ask(t, s.open(t, nil), `LAB\alice`); !errors.Is(err, ErrDown) || !strings.Contains(err.Error(), "domains of the forest") {
			t.Error(err)
		}
	})
	t.Run("accounts", func(t *testing.T) {
		entries := forestEntries()
		for i := range maxDomains + 1 {
			p := person(labBase, "many", "", sidAlice)
			p.dn = fmt.Sprintf("OU=%d,%s", i, p.dn)
			entries = append(entries, p)
		}
		s := newFakeServer(t, true, entries...)
		s.unlimited = true
		if _, err := ask(t, s.open(t, nil), `LAB\many`); !errors.Is(err, ErrDown) {
			t.Error(err)
		}
	})
}

// Ten thousand answers are remembered: none may hold what a server likes.
func TestWhatIsRememberedIsSmall(t *testing.T) {
	hostile := &ldap.Error{ResultCode: ldap.LDAPResultNoSuchObject, Err: errors.New(strings.Repeat("x", maxMessage)), Packet: ber.NewSequence("")}
	err := classify(hostile)
	var held *ldap.Error
	if !errors.Is(err, ErrNotFound) || errors.As(err, &held) || len(err.Error()) > 200 {
		t.Errorf("%T of %d bytes", err, len(err.Error()))
	}

	long := strings.Repeat("x", maxName+1)
	s := newFakeServer(t, true, append(forestEntries(), crossRef("DC=long", long, "long.example"),
		person(labBase, long, "long@corp.example", sidAlice), person("DC=long", "short", "short@corp.example", sidBob))...)
	d := s.open(t, nil)
	if r, err := ask(t, d, "long@corp.example"); !errors.Is(err, ErrDown) || strings.Contains(err.Error(), long) {
		t.Errorf("%d bytes of a name, %v", len(r.Account()), err)
	}
	if r, err := ask(t, d, "short@corp.example"); err != nil || r.Account() != "short" {
		t.Errorf("%d bytes of a name, %v", len(r.Account()), err)
	}
}

func TestServerWithoutARootIsDownAndNotWithoutTheAccount(t *testing.T) {
	s := newFakeServer(t, true, forestEntries()[1:]...)
	d := s.open(t, nil)
	if _, err := ask(t, d, `LAB\alice`); !errors.Is(err, ErrDown) || errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if _, _, ok := d.Cached(`LAB\alice`); ok {
		t.Error("that there was no answer is remembered as one")
	}
}
