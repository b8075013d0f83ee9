package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/proxy/probe"
)

// runProbeCommand runs "nspiproxy probe" with args.
func runProbeCommand(args ...string) (stdout string, code int, err error) {
	stdout, stderr, err := runProgram(append([]string{"probe"}, args...)...)
	return stdout + stderr, exitCode(err), err
}

const probePassword = "correct horse"

func startProbed(t *testing.T, c simdc.Config) (dc *simdc.Server, target, password string) {
	t.Helper()
	c.Users = []simdc.User{{Name: "alice", Password: probePassword}}
	dc, err := simdc.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(dc.Close)
	password = filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte(probePassword), 0o600); err != nil {
		t.Fatal(err)
	}
	return dc, dc.EPMAddr().String(), password
}

func TestProbeExitsByItsOutcome(t *testing.T) {
	dc, target, password := startProbed(t, simdc.Config{Limit: 1})
	login := []string{"--auth", "ntlm", "--user", `LAB\alice`, "--password-file", password}
	nspi := []string{"--nspi-port", fmt.Sprint(dc.NSPIAddr().Port())}
	run := func(want int, outcome string, args ...string) {
		t.Helper()
		out, code, err := runProbeCommand(args...)
		if code != want || !strings.Contains(out, "\n"+outcome+" in ") || strings.Contains(out, "Error:") {
			t.Errorf("%q: exit code %d, want %d and %s: %v\n%s", args, code, want, outcome, err, out)
		}
		if strings.Contains(out, probePassword) {
			t.Errorf("%q: the password is in the output", args)
		}
	}
	run(0, "anonymous_refused", target)
	run(0, "ok", append(login, target)...)
	run(0, "ok", slices.Concat(login, nspi, []string{"127.0.0.1", "--level", "integrity", "--raw"})...)
	run(1, "unreachable", "127.0.0.1:1")
	run(1, "failed", "127.0.0.1", "--nspi-port", fmt.Sprint(dc.EPMAddr().Port()))
	holder, err := client.Dial(dc.NSPIAddr().String(), client.Options{Security: &client.Security{Domain: "LAB", User: "alice", Password: probePassword}})
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close()
	if _, err := holder.NspiBind(); err != nil {
		t.Fatal(err)
	}
	run(3, "refused_limit", append(login, target)...)
}

func TestProbePrintsJSON(t *testing.T) {
	_, target, password := startProbed(t, simdc.Config{})
	out, code, err := runProbeCommand(target, "--json", "--auth", "ntlm", "--user", "alice@lab.test", "--password-file", password)
	var r probe.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if code != 0 || err != nil || r.Outcome != probe.OutcomeOK || len(r.Steps) != 7 || r.Target != "127.0.0.1" || r.SPN != "" {
		t.Errorf("exit code %d, %v: %+v", code, err, r)
	}
}

func TestProbeRefusesCommandLinesThatMakeNoSense(t *testing.T) {
	_, target, password := startProbed(t, simdc.Config{})
	public := filepath.Join(t.TempDir(), "public")
	if err := os.WriteFile(public, []byte(probePassword), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{}, {"a", "b"}, {""}, {target, "--no-such-flag"}, {target, "--auth", "basic"}, {target, "--level", "call"},
		{target, "--timeout", "0s"}, {target, "--timeout", "soon"}, {target, "--user", "alice"},
		{target, "--auth", "ntlm"}, {target, "--auth", "ntlm", "--user", "alice", "--password-file", password},
		{target, "--auth", "ntlm", "--user", `LAB\alice`, "--password-file", public},
		{target, "--auth", "kerberos", "--user", "alice@LAB.TEST"}, {target, "--epm-port", "65536"},
		{target, "--epm-port", "135"}, {"dc1:0"}, {"dc1:70000"}, {"dc1:epm"},
		{target, "--spn", "a/b", "--host", "b"}, {target, "--epm-port", "135", "--nspi-port", "6004"},
	} {
		if out, code, err := runProbeCommand(args...); code != 2 || err == nil {
			t.Errorf("%q: exit code %d, %v\n%s", args, code, err, out)
		}
	}
}

func TestProbeTargetsHaveThePortOfTheEndpointMapper(t *testing.T) {
	for argument, want := range map[string]struct {
		host string
		port uint16
	}{
		"dc1": {"dc1", 0}, "dc1:1135": {"dc1", 1135}, "10.0.0.1": {"10.0.0.1", 0}, "10.0.0.1:135": {"10.0.0.1", 135},
		"fd00::1": {"fd00::1", 0}, "[fd00::1]": {"fd00::1", 0}, "[fd00::1]:1135": {"fd00::1", 1135},
	} {
		var port uint16
		if host, err := splitTarget(argument, &port); err != nil || host != want.host || port != want.port {
			t.Errorf("%s: %s, %d, %v", argument, host, port, err)
		}
	}
}

func TestExitCodes(t *testing.T) {
	limited := exitError{probeLimited, errors.New("full")}
	for _, tc := range []struct {
		err  error
		want int
	}{{nil, 0}, {errors.New("any"), 1}, {limited, 3}, {fmt.Errorf("so: %w", limited), 3}} {
		if got := exitCode(tc.err); got != tc.want {
			t.Errorf("%v: %d, want %d", tc.err, got, tc.want)
		}
	}
}
