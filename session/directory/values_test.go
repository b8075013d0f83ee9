package directory

import (
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestSIDs(t *testing.T) {
	for in, want := range map[string]string{
		"\x01\x05\x00\x00\x00\x00\x00\x05\x15\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\xff\xff\xff\xff\x51\x04\x00\x00": "S-1-5-21-1-2-4294967295-1105",
		"\x01\x01\x00\x00\x00\x00\x00\x05\x12\x00\x00\x00":                                                                 "S-1-5-18",
		"\x01\x01\x00\x00\xff\xff\xff\xff\x00\x00\x00\x00":                                                                 "S-1-4294967295-0",
		"\x01\x01\x01\x23\x45\x67\x89\xab\x07\x00\x00\x00":                                                                 "S-1-0x0123456789AB-7",
		"\x01\x0f\x00\x00\x00\x00\x00\x05" + strings.Repeat("\x01\x00\x00\x00", 15):                                        "S-1-5" + strings.Repeat("-1", 15),
	} {
		if got, err := parseSID([]byte(in)); got != want || err != nil {
			t.Errorf("%x: %s, %v, want %s", in, got, err, want)
		}
		for i := range len(in) {
			if got, err := parseSID([]byte(in[:i])); err == nil {
				t.Errorf("%d bytes of %x: %s", i, in, got)
			}
		}
	}
	for _, in := range []string{
		"\x02\x01\x00\x00\x00\x00\x00\x05\x12\x00\x00\x00", "\x01\x00\x00\x00\x00\x00\x00\x05", "\x01\x01\x00\x00\x00\x00\x00\x05\x12\x00\x00\x00\x00",
		"\x01\x10\x00\x00\x00\x00\x00\x05" + strings.Repeat("\x01\x00\x00\x00", 16),
	} {
		if got, err := parseSID([]byte(in)); err == nil {
			t.Errorf("%x: %s", in, got)
		}
	}
}

func FuzzParseSID(f *testing.F) {
	f.Add([]byte(binarySID(sidAlice)))
	f.Add([]byte("\x01\x01\x01\x23\x45\x67\x89\xab\x07\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		text, err := parseSID(b)
		if (err == nil) != (len(b) >= 12 && b[0] == 1 && b[1] <= 15 && len(b) == 8+4*int(b[1])) {
			t.Fatalf("%x: %s, %v", b, text, err)
		}
		if err == nil && len(b) < 64 && b[2]|b[3]|b[4]|b[5]|b[6] == 0 && binarySID(text) != string(b) {
			t.Fatalf("%x: %s", b, text)
		}
	})
}

func FuzzParseName(f *testing.F) {
	for _, s := range []string{`LAB\alice`, "alice@lab.example", "alice", `\alice@lab`, "*)(a=b", "\x00", "\xff", "@", `\`, "LAB\\\uFFFD"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, account string) {
		n, err := parseName(account)
		if err != nil {
			if !errors.Is(err, ErrNotFound) || n != (name{}) {
				t.Fatalf("%q: %+v, %v", account, n, err)
			}
			return
		}
		if n.user == "" || !utf8.ValidString(n.user+n.domain) || strings.Contains(n.domain, `\`) || len(n.user)+len(n.domain) > len(account) {
			t.Fatalf("%q: %+v", account, n)
		}
		if n.upn {
			if user, suffix := n.split(); user+"@"+suffix != n.user || n.domain != "" {
				t.Fatalf("%q: %q, %q", account, user, suffix)
			}
		}
	})
}

func TestKeyDoesNotMixNames(t *testing.T) {
	seen := map[string]string{}
	for _, account := range []string{`a\b`, "b", "b@a", `a\b@a`, `a\b\c`, "a", `b\a`} {
		n, err := parseName(account)
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[n.key()]; ok {
			t.Errorf("%s and %s have one key", account, other)
		}
		seen[n.key()] = account
	}
}

func TestBreakerOpensAtTheFirstFailureAndClosesAtAConnection(t *testing.T) {
	var b breaker
	cause, later := errors.New("down"), errors.New("still down")
	for range 2 {
		if err := b.open(); err != nil || b.connected() {
			t.Fatalf("%v", err)
		}
		if !b.failed(cause) || b.failed(later) { // another worker, at the same time
			t.Error("it is not known which failure was the first")
		}
		if err := b.open(); !errors.Is(err, later) {
			t.Errorf("%v", err)
		}
		if !b.connected() {
			t.Error("it was down")
		}
	}
	var pauses []time.Duration
	for p := minPause; len(pauses) < 8; p = longer(p) {
		pauses = append(pauses, p/time.Second)
	}
	if !slices.Equal(pauses, []time.Duration{1, 2, 4, 8, 16, 32, 60, 60}) {
		t.Errorf("pauses %d", pauses)
	}
}

func TestConfigurationIsChecked(t *testing.T) {
	secret := func() ([]byte, error) { return []byte(rand.Text()), nil }
	for name, c := range map[string]Config{
		"no URL":           {},
		"other scheme":     {URL: "https://dc1"},
		"no scheme":        {URL: "dc1:636"},
		"no host":          {URL: "ldaps://:636"},
		"path":             {URL: "ldaps://dc1/DC=lab"},
		"query":            {URL: "ldaps://dc1/?sub"},
		"user":             {URL: "ldaps://svc:pass@dc1"},
		"StartTLS in TLS":  {URL: "ldaps://dc1", StartTLS: true},
		"no secret":        {URL: "ldaps://dc1", BindDN: "CN=svc"},
		"Kerberos, nobody": {URL: "ldaps://dc1", Kerberos: &Kerberos{}, Secret: secret},
		"malformed base":   {URL: "ldaps://dc1", BaseDN: "lab"},
	} {
		if d, err := New(c); err == nil {
			d.Close()
			t.Errorf("%s was accepted", name)
		}
	}
	for url, want := range map[string]server{
		"ldaps://dc1.lab.example":   {"dc1.lab.example", "dc1.lab.example:636", true, false},
		"ldap://dc1":                {"dc1", "dc1:389", false, false},
		"LDAPS://dc1:3269/":         {"dc1", "dc1:3269", true, true},
		"ldap://[2001:db8::1]:3268": {"2001:db8::1", "[2001:db8::1]:3268", false, true},
		"ldaps://127.0.0.1:1636":    {"127.0.0.1", "127.0.0.1:1636", true, false},
	} {
		if got, err := parseURL(url); got != want || err != nil {
			t.Errorf("%s: %+v, %v", url, got, err)
		}
	}
	d, err := New(Config{URL: "ldaps://dc1"})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if c := d.config; c.Timeout != DefaultTimeout || c.CacheSize != DefaultCacheSize || c.PositiveTTL != DefaultPositiveTTL || c.NegativeTTL != DefaultNegativeTTL {
		t.Errorf("defaults: %+v", c)
	}
}
