package policy

import (
	"strings"
	"testing"
)

func TestHostNames(t *testing.T) {
	label := strings.Repeat("a", maxLabel)
	longest := strings.Repeat(label+".", 3) + strings.Repeat("b", maxHostName-3*(maxLabel+1))
	for in, want := range map[string]HostName{
		"dc1":                                "dc1",
		"GC-Proxy.Corp.Example.":             "gc-proxy.corp.example",
		"_ldap._tcp.Site_A._sites.gc._msdcs": "_ldap._tcp.site_a._sites.gc._msdcs",
		"xn--bcher-kva.example":              "xn--bcher-kva.example",
		"10.example":                         "10.example",
		longest:                              HostName(longest),
		longest + ".":                        HostName(longest),
	} {
		if got, err := parseHostName(in); got != want || err != nil {
			t.Errorf("%s: %s, %v", in, got, err)
		}
	}
	for _, in := range []string{
		"", ".", "..", "a..b", ".a", "-a", "a-", "a.-b", "_", "a._", "10.0.0.1", "dc1.7", "a b", "a\nb", "a/b", "a:1", "a;b", "*.example", "bücher.example", "\u212adc", // the Kelvin sign is a k in lower case
		label + "a.example", longest + "b",
	} {
		if got, err := parseHostName(in); err == nil {
			t.Errorf("%q was read as %s", in, got)
		}
	}
}

func TestInterfaceNames(t *testing.T) {
	for _, in := range []string{"eth0", "enp3s0f1", "eth0.100", "br-lan", "vlan_5", "_x", "0", "fifteen.letters"} {
		if got, err := parseInterfaceName(in); string(got) != in || err != nil {
			t.Errorf("%s: %s, %v", in, got, err)
		}
	}
	for c := range 256 { // as they are, and as part of a name; a star may be at the end
		if strings.ContainsRune("._-*", rune(c)) || isWord(string(rune(c)), "") {
			continue
		}
		for _, in := range []string{string(rune(c)), "e" + string(rune(c)), "e" + string(rune(c)) + "0", string([]byte{'e', byte(c)})} {
			if got, err := parseInterfaceName(in); err == nil {
				t.Errorf("%q was read as %s", in, got)
			}
		}
	}
	for _, in := range []string{"", ".", "..", ".e", "-e", "sixteen-letters1", "*", "**", "e**", "*e", "e*h", ".*", "-*", "fifteen.letters*"} {
		if got, err := parseInterfaceName(in); err == nil {
			t.Errorf("%q was read as %s", in, got)
		}
	}
}

func TestWildcardsStandForNamesThatBeginAsTheyDo(t *testing.T) {
	for _, c := range []struct {
		name    InterfaceName
		matches string
		not     string
	}{
		{"ppp*", "ppp0 ppp12 ppp pppoe-wan", "pp p eth0 appp0"},
		{"ppp0", "ppp0", "ppp ppp00 ppp*"},
		{"eth1.*", "eth1.100", "eth1 eth10"},
	} {
		if parsed, err := parseInterfaceName(string(c.name)); parsed != c.name || err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		for _, name := range strings.Fields(c.matches) {
			if !c.name.Matches(name) {
				t.Errorf("%s does not stand for %s", c.name, name)
			}
		}
		for _, name := range strings.Fields(c.not) {
			if c.name.Matches(name) {
				t.Errorf("%s stands for %s", c.name, name)
			}
		}
	}
	for _, c := range []struct {
		name, other     InterfaceName
		covers, overlap bool
	}{
		{"ppp*", "ppp0", true, true}, {"ppp*", "pppoe*", true, true}, {"ppp*", "ppp*", true, true}, {"ppp0", "ppp0", true, true},
		{"pppoe*", "ppp*", false, true}, {"ppp0", "ppp*", false, true}, {"ppp", "ppp*", false, true},
		{"ppp*", "eth0", false, false}, {"ppp1*", "ppp2*", false, false}, {"ppp0", "ppp1", false, false},
	} {
		if c.name.Covers(c.other) != c.covers || c.name.overlaps(c.other) != c.overlap || c.other.overlaps(c.name) != c.overlap {
			t.Errorf("%s and %s: covers %t, overlap %t", c.name, c.other, c.name.Covers(c.other), c.name.overlaps(c.other))
		}
	}
}

func TestAccounts(t *testing.T) {
	for _, in := range []string{`LAB\monitor`, `monitor@LAB.EXAMPLE`, `LAB\Jörg Müller`} {
		if got, err := parseAccount(in); string(got) != in || err != nil {
			t.Errorf("%s: %s, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "monitor", `\monitor`, `LAB\`, "@LAB", "monitor@", `LAB\a\b`, "a@b@c", `LAB\a@b`, "LAB\\a\n", "LAB\\a\x00", "LAB\\\u202ea", `L\` + strings.Repeat("a", maxAccount)} {
		if got, err := parseAccount(in); err == nil {
			t.Errorf("%q was read as %s", in, got)
		}
	}
}
