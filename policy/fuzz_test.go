package policy

import (
	"errors"
	"io"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// FuzzParse looks for panics, for errors that do not say where, and for
// accepted files that do not work.
func FuzzParse(f *testing.F) {
	for _, dir := range []string{configs, configs + "/bad"} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			f.Fatal(err)
		}
		for _, e := range entries {
			if !strings.HasSuffix(e.Name(), ".yaml") {
				continue
			}
			data, err := os.ReadFile(dir + "/" + e.Name())
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg, err := Parse("f", data)
		if err == nil {
			checkAccepted(t, cfg)
			return
		}
		var problems Problems
		if !errors.As(err, &problems) || cfg != nil || len(problems) == 0 {
			t.Fatalf("error %#v, config %v", err, cfg)
		}
		checkProblems(t, problems, data)
	})
}

func checkAccepted(t *testing.T, cfg *Config) {
	checkProblems(t, cfg.Warnings, nil)
	if err := cfg.Describe(io.Discard, cfg.Identity.Counting()); err != nil {
		t.Fatal(err)
	}
	if cfg.Version != 1 || len(cfg.Listeners) == 0 {
		t.Fatalf("accepted %+v", cfg)
	}
	for i := range cfg.Listeners {
		checkAcceptedListener(t, cfg, &cfg.Listeners[i])
	}
	rule := New(cfg.Policy).Match(Subject{Account: named(`LAB\svc-1`), Client: netip.MustParseAddr("10.1.2.3"), Backend: "dc1"})
	if rule.Name == "" || decide(rule, 1<<30).Action == 0 {
		t.Fatalf("rule %+v decides nothing", rule)
	}
}

// checkAcceptedListener looks for listeners that lead nowhere, and for text that
// could mean more than itself in a rule set or a command.
func checkAcceptedListener(t *testing.T, cfg *Config, l *Listener) {
	leads := len(cfg.Pool(l)) > 0 && len(cfg.Pool(l)) == len(l.BackendNames()) && l.Address.IsValid()
	if l.Mode.Transparent() {
		leads = len(l.Destinations) > 0 && l.Port != 0 && len(l.BackendNames()) == 0
	}
	if !leads {
		t.Fatalf("accepted %+v", l)
	}
	for _, name := range l.Interfaces {
		if !regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$|^[A-Za-z0-9_][A-Za-z0-9_.-]{0,13}[*]$`).MatchString(string(name)) || name.Matches("lo") {
			t.Fatalf("accepted the interface %q", name)
		}
	}
	for _, p := range append(slices.Clone(l.Destinations), l.ProxyProtocolFrom...) {
		if !p.IsValid() || p.Bits() == 0 || p != p.Masked() {
			t.Fatalf("accepted the network %v", p)
		}
	}
}

func checkProblems(t *testing.T, problems []Problem, data []byte) {
	lines := 1 + strings.Count(string(data), "\n") + strings.Count(string(data), "\r") + strings.Count(string(data), "\u0085") +
		strings.Count(string(data), "\u2028") + strings.Count(string(data), "\u2029")
	for _, p := range problems {
		if p.Found == "" || p.Expected == "" || p.File != "f" {
			t.Errorf("incomplete: %+v", p)
		}
		if data != nil && p.Line > lines+1 {
			t.Errorf("line %d of %d: %v", p.Line, lines, p)
		}
		if strings.ContainsFunc(p.Error(), func(r rune) bool { return r < ' ' || r == 0x7F }) {
			t.Errorf("control characters in %q", p.Error())
		}
	}
}
