package session

import (
	"net/netip"
	"strings"
	"testing"
)

func TestKeyIsWhatTheAssuranceVouchesFor(t *testing.T) {
	full := Identity{SID: "S-1-5-21-1-2-3-1105", Account: `LAB\Anna`, Address: netip.MustParseAddr("::ffff:10.1.0.1")}
	tests := []struct {
		assurance Assurance
		without   func(*Identity)
		want      string
	}{
		{AssuranceVerified, nil, "sid:S-1-5-21-1-2-3-1105"},
		{AssuranceResolved, nil, "sid:S-1-5-21-1-2-3-1105"},
		{AssuranceResolved, func(i *Identity) { i.SID = "" }, `account:LAB\ANNA`},
		{AssuranceClaimed, nil, `account:LAB\ANNA`},
		{AssuranceClaimed, func(i *Identity) { i.Account = "" }, "address:10.1.0.1"},
		{AssuranceAddress, nil, "address:10.1.0.1"},
	}
	for _, tt := range tests {
		id := full
		id.Assurance = tt.assurance
		if tt.without != nil {
			tt.without(&id)
		}
		if got := id.Key(); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.assurance, got, tt.want)
		}
	}
}

func TestKindsOfKeysNeverCollide(t *testing.T) {
	const sid = "S-1-5-21-1"
	forged := Identity{Assurance: AssuranceClaimed, Account: sid}
	if forged.Key() == (Identity{Assurance: AssuranceVerified, SID: sid}).Key() {
		t.Fatal("an account that is spelled like a SID has its key")
	}
	forged.Account = "10.1.0.1"
	if forged.Key() == (Identity{Address: netip.MustParseAddr("10.1.0.1")}).Key() {
		t.Fatal("an account that is spelled like an address has its key")
	}
}

func TestIdentitiesThatAreWrittenAlikeShareAKey(t *testing.T) {
	var ids []Identity
	for _, assurance := range []Assurance{AssuranceAddress, AssuranceClaimed, AssuranceResolved, AssuranceVerified} {
		for _, sid := range []string{"", "S-1-5"} {
			for _, account := range []string{"", "a", "A"} {
				for n := range byte(2) {
					ids = append(ids, Identity{assurance, sid, account, addrPort(n).Addr()})
				}
			}
		}
	}
	for _, a := range ids {
		for _, b := range ids {
			if a.alike(&b) && a.Key() != b.Key() {
				t.Errorf("%+v is like %+v, but has the key %q, not %q", a, b, a.Key(), b.Key())
			}
		}
		moved := a
		moved.Address = addrPort(9).Addr()
		if a.Key() == moved.Key() && !a.alike(&moved) {
			t.Errorf("%+v: the address matters", a)
		}
	}
}

func TestAssuranceAndOutcomeNames(t *testing.T) {
	for want, got := range map[string]string{
		"address": AssuranceAddress.String(), "claimed": AssuranceClaimed.String(),
		"resolved": AssuranceResolved.String(), "verified": AssuranceVerified.String(),
		"assurance(9)": Assurance(9).String(),
		"reserved":     Reserved.String(), "refused": Refused.String(), "wait": Wait.String(),
		"outcome(0)": Outcome(0).String(),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestIdentityShowsTheBestName(t *testing.T) {
	id := Identity{Account: `LAB\Anna`, SID: "S-1-5", Address: addrPort(1).Addr()}
	for _, want := range []string{`LAB\Anna`, "S-1-5", "10.1.0.1"} {
		if got := id.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if id.Account == "" {
			id.SID = ""
		}
		id.Account = ""
	}
}

// FuzzFoldFollowsEqualFold: two names share a quota exactly if Unicode simple
// folding makes them equal.
func FuzzFoldFollowsEqualFold(f *testing.F) {
	for _, seed := range [][2]string{
		{`LAB\anna`, `lab\ANNA`}, {"K", "\u212a"}, {"s", "ſ"}, {"straße", "STRAẞE"}, {"ss", "ß"},
		{"σ", "ς"}, {"İ", "i"}, {"\xff", "\ufffd"}, {"", ""}, {"Dž", "ǆ"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if got, want := fold(a) == fold(b), strings.EqualFold(a, b); got != want {
			t.Fatalf("fold(%q) = %q, fold(%q) = %q; EqualFold %v", a, fold(a), b, fold(b), want)
		}
		if fold(fold(a)) != fold(a) {
			t.Fatalf("fold(%q) = %q, which folds to %q", a, fold(a), fold(fold(a)))
		}
	})
}
