package session

import (
	"net/netip"
	"testing"
)

func TestKeyIsWhatTheAssuranceVouchesFor(t *testing.T) {
	full := Identity{SID: "S-1-5-21-1-2-3-1105", Account: Account{"LAB", "Anna"}, Address: netip.MustParseAddr("::ffff:10.1.0.1")}
	tests := []struct {
		assurance Assurance
		without   func(*Identity)
		want      string
	}{
		{AssuranceVerified, nil, "sid:S-1-5-21-1-2-3-1105"},
		{AssuranceResolved, nil, "sid:S-1-5-21-1-2-3-1105"},
		{AssuranceResolved, func(i *Identity) { i.SID = "" }, `account:3:LAB\ANNA`},
		{AssuranceClaimed, nil, `account:3:LAB\ANNA`},
		{AssuranceClaimed, func(i *Identity) { i.Account = Account{} }, "address:10.1.0.1"},
		{AssuranceAddress, nil, "address:10.1.0.1"},
		{AssuranceUnreadable, nil, "address:10.1.0.1"},
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
	forged := Identity{Assurance: AssuranceClaimed, Account: Account{User: sid}}
	if forged.Key() == (Identity{Assurance: AssuranceVerified, SID: sid}).Key() {
		t.Fatal("an account that is spelled like a SID has its key")
	}
	forged.Account.User = "10.1.0.1"
	if forged.Key() == (Identity{Address: netip.MustParseAddr("10.1.0.1")}).Key() {
		t.Fatal("an account that is spelled like an address has its key")
	}
}

func TestIdentitiesThatAreWrittenAlikeShareAKey(t *testing.T) {
	var ids []Identity
	for _, assurance := range []Assurance{AssuranceAddress, AssuranceUnreadable, AssuranceClaimed, AssuranceResolved, AssuranceVerified} {
		for _, sid := range []string{"", "S-1-5"} {
			for _, account := range []Account{{}, {User: "a"}, {User: "A"}, {"a", "a"}} {
				for n := range byte(2) {
					ids = append(ids, Identity{assurance, sid, account, addrPort(n).Addr(), netip.Prefix{}})
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
		"address": AssuranceAddress.String(), "unreadable": AssuranceUnreadable.String(), "claimed": AssuranceClaimed.String(),
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
	id := Identity{Account: Account{"LAB", "Anna"}, SID: "S-1-5", Address: addrPort(1).Addr()}
	for _, want := range []string{`LAB\Anna`, "S-1-5", "10.1.0.1"} {
		if got := id.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if id.Account.IsZero() {
			id.SID = ""
		}
		id.Account = Account{}
	}
}

// A separator in a part belongs to that part.
func TestPartsOfAnAccountAreNeverTakenForEachOther(t *testing.T) {
	seen := map[string]Account{}
	for _, a := range []Account{
		{"LAB", "alice"}, {"", "alice"}, {"", `LAB\alice`}, {`LAB\svc`, "alice"}, {"LAB", `svc\alice`},
		{"LAB", "alice@lab"}, {"LAB@alice", "lab"}, {"LA", `B\alice`}, {"", `3:LAB\alice`},
	} {
		key := Identity{Assurance: AssuranceClaimed, Account: a}.Key()
		if other, ok := seen[key]; ok {
			t.Errorf("%+v and %+v have the key %q", a, other, key)
		}
		seen[key] = a
	}
}

func TestSpellingsOfOneAccountShareAKey(t *testing.T) {
	want := Identity{Assurance: AssuranceClaimed, Account: Account{"LAB", "alice"}}.Key()
	for _, a := range []Account{{"lab", "ALICE"}, {"LAB", "alice "}, {"Lab", "álice"}, {"ＬＡＢ", "ａｌｉｃｅ"}} {
		if got := (Identity{Assurance: AssuranceClaimed, Account: a}).Key(); got != want {
			t.Errorf("%+v: %q, want %q", a, got, want)
		}
	}
}

// One host may have many addresses.
func TestUsersBelowANameAreCountedByNetwork(t *testing.T) {
	at := func(assurance Assurance, address string, bits int) Identity {
		a := netip.MustParseAddr(address)
		network, _ := a.Prefix(bits)
		return Identity{Assurance: assurance, Account: Account{"LAB", "alice"}, Address: a, Network: network}
	}
	one := at(AssuranceAddress, "2001:db8::1", 64)
	for _, same := range []Identity{at(AssuranceAddress, "2001:db8::ffff:2", 64), at(AssuranceUnreadable, "2001:db8::3", 64)} {
		if same.Key() != one.Key() {
			t.Errorf("%q, want %q", same.Key(), one.Key())
		}
	}
	if other := at(AssuranceAddress, "2001:db8:0:1::1", 64); other.Key() == one.Key() {
		t.Error("another network has the same key")
	}
	if a, b := at(AssuranceClaimed, "2001:db8::1", 64), at(AssuranceClaimed, "2001:db8:1::1", 64); a.Key() != b.Key() {
		t.Error("the network matters for a name")
	}
	if host := at(AssuranceAddress, "10.1.0.1", 32); host.Key() != "address:10.1.0.1" {
		t.Errorf("%q", host.Key())
	}
}
