package probe_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/proxy/probe"
)

func TestTargetsThatCannotBeProbedAreErrors(t *testing.T) {
	secret := private(t, password)
	public := private(t, password)
	if err := os.Chmod(public, 0o640); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		target probe.Target
		want   string // part of the error; "": none
	}{
		{probe.Target{Address: "dc"}, ""},
		{probe.Target{Address: "dc", Auth: probe.AuthNone, Level: probe.LevelPrivacy}, ""},
		{probe.Target{}, "no address"},
		{probe.Target{Address: "dc", Timeout: -time.Second}, "time-out"},
		{probe.Target{Address: "dc", Level: "call"}, "level"},
		{probe.Target{Address: "dc", Auth: "basic"}, "none, ntlm, kerberos"},
		{probe.Target{Address: "dc", User: user}, "without a way"},
		{probe.Target{Address: "dc", Auth: probe.AuthNTLM, User: user, PasswordFile: secret}, ""},
		{probe.Target{Address: "dc", Auth: probe.AuthNTLM, User: "alice@lab.test", PasswordFile: secret}, ""},
		{probe.Target{Address: "dc", Auth: probe.AuthNTLM, User: "alice", PasswordFile: secret}, "no domain"},
		{probe.Target{Address: "dc", Auth: probe.AuthNTLM, User: user}, "password file"},
		{probe.Target{Address: "dc", Auth: probe.AuthNTLM, User: user, PasswordFile: secret, Keytab: secret}, "no keytab"},
		{probe.Target{Address: "dc", Auth: probe.AuthNTLM, User: user, PasswordFile: public}, "chmod"},
		{probe.Target{Address: "dc", Auth: probe.AuthNTLM, User: user, PasswordFile: secret + ".absent"}, "no such file"},
		{probe.Target{Address: "dc", Auth: probe.AuthKerberos, User: "alice", PasswordFile: secret}, ""},
		{probe.Target{Address: "dc", Auth: probe.AuthKerberos, User: user, Keytab: secret}, ""},
		{probe.Target{Address: "dc", Auth: probe.AuthKerberos, User: user}, "or a keytab"},
		{probe.Target{Address: "dc", Auth: probe.AuthKerberos, User: user, Keytab: secret, PasswordFile: secret}, "or a keytab"},
		{probe.Target{Address: "dc", Auth: probe.AuthKerberos, User: user, Keytab: public}, "chmod"},
		{probe.Target{Address: "dc", Auth: probe.AuthNTLM, User: "", PasswordFile: secret}, "neither"},
		{probe.Target{Address: "dc", Auth: probe.AuthNTLM, User: `LAB\`, PasswordFile: secret}, "neither"},
		{probe.Target{Address: "dc", Auth: probe.AuthNTLM, User: `\alice`, PasswordFile: secret}, "neither"},
		{probe.Target{Address: "dc", Auth: probe.AuthNTLM, User: `LAB\alice@lab.test`, PasswordFile: secret}, "neither"},
		{probe.Target{Address: "dc", Auth: probe.AuthNTLM, User: `alice@lab@test`, PasswordFile: secret}, "neither"},
	} {
		err := tc.target.Check()
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%+v: %v, want %q", tc.target, err, tc.want)
		}
	}
}

func TestTargetsHoldNoSecrets(t *testing.T) {
	b, err := json.Marshal(probe.Target{Address: "dc", Auth: probe.AuthNTLM, User: user, PasswordFile: private(t, password)})
	if err != nil || strings.Contains(string(b), password) {
		t.Errorf("%v: %s", err, b)
	}
}
