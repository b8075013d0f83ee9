package ntlm

import (
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// seeds adds the messages of a handshake and what once made parsers stumble.
func seeds(f *testing.F) {
	i := &Initiator{Domain: "LAB", User: "alice", Password: "Secret.123", Workstation: "WS1", Target: "exchangeAB/dc1"}
	n, c, a := handshake(f, i, &Acceptor{Lookup: accounts, Domain: "LAB", Computer: "DC1", Now: time.Unix(1, 0)})
	for _, b := range [][]byte{nil, n, n[:16], c, c[:32], a, a[:22], a[:64], a[:88]} {
		f.Add(b)
	}
}

func FuzzParseNegotiate(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := ParseNegotiate(b)
		if err != nil {
			return
		}
		again, err := AppendNegotiate(nil, n)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseNegotiate(again); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzParseChallenge(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseChallenge(b)
		if err != nil {
			return
		}
		_, _ = c.TargetInfo.Timestamp()
		if _, err := (&Initiator{Domain: "LAB", User: "u", Password: "p"}).Authenticate(b); err != nil && wire.ClassOf(err) != wire.ClassLimit {
			t.Fatalf("a challenge that parses cannot be answered: %v", err)
		}
	})
}

func FuzzParseAuthenticate(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := ParseAuthenticate(b, 0)
		if err != nil {
			return
		}
		_, _ = a.Key(Hash{}, specServerChallenge)
		s := &Acceptor{Lookup: accounts}
		n, _ := (&Initiator{}).Negotiate()
		if _, err := s.Challenge(n); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Accept(b); err == nil && !got.Anonymous {
			t.Fatal("accepted without a proof")
		}
		again, err := AppendAuthenticate(nil, a)
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParseAuthenticate(again, 0)
		if err != nil {
			return // U+FFFD is longer than the byte it replaces: a name may grow over its limit
		}
		if back.User != a.User && a.Flags.Has(FlagUnicode) {
			t.Fatalf("user %q, again %q", a.User, back.User)
		}
	})
}

func FuzzAVPairs(f *testing.F) {
	f.Add(AppendAVPair(AppendAVPair(nil, AVTimestamp, []byte{1, 2}), AVEOL, nil))
	f.Add([]byte{6, 0, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, n := AVPairs(b), 0
		for _, v := range p.All() {
			n += avHeader + len(v)
		}
		if n > len(b) {
			t.Fatal("more attributes than bytes")
		}
		p.Flags()
		p.Timestamp()
		p.Text(AVTargetName)
	})
}
