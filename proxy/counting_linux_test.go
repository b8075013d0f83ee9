package proxy

import (
	"slices"
	"strings"
	"testing"

	"github.com/nspiproxy/nspiproxy/policy"
)

// alarms are what is said of users who have a name and are not told apart.
func alarms(t *testing.T, config *policy.Config) (who []string) {
	t.Helper()
	counting, err := Check(config)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range counting {
		if c.Alarming {
			who = append(who, c.Who+": "+c.How)
		}
	}
	return who
}

func TestUsersWhoAreNotToldApartAreNamedAtTheStart(t *testing.T) {
	backends := []policy.Backend{{Name: "dc1", Host: "dc1.corp.example"}, {Name: "dc2", Host: "dc2.corp.example"}, {Name: "dc3"}}
	config := func(keytabs ...policy.File) *policy.Config {
		c := policy.Defaults()
		c.Backends, c.Identity.Keytabs = backends, keytabs
		return &c
	}
	users := policy.File(keytabOf(t, map[string]string{alice: alicePassword}))
	machine := policy.File(keytabOf(t, map[string]string{"DC1$": alicePassword}))
	for name, tc := range map[string]struct {
		config *policy.Config
		want   []string // beginnings
	}{
		"no keytab":             {config(), []string{"Kerberos: by network of the client"}},
		"keys of users":         {config(users), []string{"Kerberos: by network of the client"}},
		"a domain controller's": {config(machine), []string{"Kerberos on dc2: as unreadable"}},
		"both":                  {config(users, machine), []string{"Kerberos on dc2: as unreadable"}},
	} {
		got := alarms(t, tc.config)
		if !slices.EqualFunc(got, tc.want, strings.HasPrefix) {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}
