package main

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// unitFile is the unit for systemd.
const unitFile = "../../deploy/nspiproxy.service"

// unit returns the values of each key of the unit's section Service.
func unit(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(unitFile)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string][]string{}
	section := ""
	for _, line := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(line, "[") {
			section = line
		}
		if key, value, ok := strings.Cut(line, "="); ok && section == "[Service]" && !strings.HasPrefix(line, "#") {
			values[key] = append(values[key], value)
		}
	}
	return values
}

func TestServiceHasTwoCapabilitiesAndIsNotRoot(t *testing.T) {
	u := unit(t)
	for key, want := range map[string]string{
		"AmbientCapabilities":   "CAP_NET_ADMIN CAP_NET_BIND_SERVICE",
		"CapabilityBoundingSet": "CAP_NET_ADMIN CAP_NET_BIND_SERVICE",
		"User":                  "nspiproxy",
		"NoNewPrivileges":       "yes",
		"ProtectSystem":         "strict",
		"StateDirectory":        "nspiproxy",
		"Restart":               "always",
		"Type":                  "notify",
	} {
		if got := u[key]; !slices.Equal(got, []string{want}) {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	if families := u["RestrictAddressFamilies"]; len(families) != 1 || !strings.Contains(families[0], "AF_NETLINK") {
		t.Errorf("address families %q: the set of learnt ports needs AF_NETLINK", families)
	}
}

func TestServiceCallsCommandsThatExist(t *testing.T) {
	u := unit(t)
	for key, want := range map[string]string{
		"ExecStartPre": "rules --config /etc/nspiproxy/nspiproxy.yaml --apply",
		"ExecStart":    "serve --config /etc/nspiproxy/nspiproxy.yaml",
		"ExecStopPost": "rules --on-stop",
	} {
		if !slices.Equal(u[key], []string{"/usr/local/bin/nspiproxy " + want}) {
			t.Errorf("%s is %q, want %q", key, u[key], want)
		}
		cmd, flags, err := newRootCommand().Find(strings.Fields(want))
		if err != nil || cmd.ParseFlags(flags) != nil {
			t.Errorf("%s: %q: error %v", key, want, err)
		}
	}
}
