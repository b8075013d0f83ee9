package directory

import (
	"slices"
	"testing"
)

func trust(name, dns, direction string) fakeEntry {
	return fakeEntry{dn: "CN=" + name + ",CN=System," + labBase, attributes: map[string][]string{
		"objectClass": {"trustedDomain"}, "flatName": {name}, "trustPartner": {dns}, "trustDirection": {direction},
	}}
}

func TestDomainsAreThoseOfTheForestAndThoseItTrusts(t *testing.T) {
	s := newFakeServer(t, true, append(forestEntries(), trust("PARTNER", "partner.example", "3"), trust("OUT", "out.example", "2"),
		trust("IN", "in.example", "1"), trust("DISABLED", "disabled.example", "0"), trust("ODD", "odd.example", "x"))...)
	d := s.open(t, nil)
	if _, ok := d.Domains(); ok {
		t.Error("domains are known before the first connection")
	}
	if _, err := ask(t, d, `LAB\nobody`); err == nil {
		t.Fatal("an account that is not there")
	}
	list, ok := d.Domains()
	for _, name := range []string{"LAB", "PARTNER", "OUT"} {
		if !ok || !slices.ContainsFunc(list, func(d Domain) bool { return d.NetBIOS == name && d.DNS != "" }) {
			t.Errorf("%s is not among %v", name, list)
		}
	}
	for _, name := range []string{"IN", "DISABLED", "ODD"} {
		if slices.ContainsFunc(list, func(d Domain) bool { return d.NetBIOS == name }) {
			t.Errorf("%s is among %v", name, list)
		}
	}
}

// A server may not tell its trusts to the account that asks.
func TestTrustsThatAreNotToldAreNone(t *testing.T) {
	s := newFakeServer(t, true, append(forestEntries(), trust("PARTNER", "partner.example", "3"))...)
	s.refuse["trustPartner"] = 50
	d := s.open(t, nil)
	if _, err := ask(t, d, `LAB\nobody`); err == nil {
		t.Fatal("an account that is not there")
	}
	if list, ok := d.Domains(); !ok || len(list) == 0 || slices.ContainsFunc(list, func(d Domain) bool { return d.NetBIOS == "PARTNER" }) {
		t.Errorf("%v, %v", list, ok)
	}
}
