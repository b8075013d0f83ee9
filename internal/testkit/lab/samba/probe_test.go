//go:build lab

package samba

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
	"github.com/nspiproxy/nspiproxy/proxy/probe"
)

// probeWay is a way to authenticate of nspiproxy probe.
type probeWay struct {
	name string
	args []string
}

// protected says whether a proxy without keys can refuse it with a fault only.
func (w probeWay) protected() bool {
	return slices.Contains(w.args, "--auth") && !slices.Contains(w.args, "connect")
}

// probeWays are all ways that authenticate.
func probeWays(t testing.TB, samba *lab.Samba) (all []probeWay) {
	password := lab.PasswordFile(t, lab.Alice)
	kerberos := []string{"--auth", "kerberos", "--krb5-conf", samba.File("krb5.conf"), "--host", lab.SambaHost}
	logins := map[string][]string{
		"ntlm":                       {"--auth", "ntlm", "--user", lab.Domain + `\` + lab.Alice.Name, "--password-file", password},
		"kerberos with a password":   append(kerberos, "--user", lab.Alice.Name+"@"+lab.SambaRealm, "--password-file", password),
		"kerberos with a keytab":     append(kerberos, "--user", lab.Alice.Name, "--keytab", samba.UserKeytab(lab.Alice)),
		"kerberos by the short name": append(kerberos, "--user", lab.Domain+`\`+lab.Alice.Name, "--keytab", samba.UserKeytab(lab.Alice)),
	}
	for login, args := range logins {
		for _, level := range []probe.Level{probe.LevelConnect, probe.LevelPacket, probe.LevelIntegrity, probe.LevelPrivacy} {
			args := append(slices.Clone(args), "--level", string(level))
			all = append(all, probeWay{fmt.Sprintf("%s, %s", login, level), args},
				probeWay{fmt.Sprintf("%s, %s, raw", login, level), append(slices.Clone(args), "--raw")})
		}
	}
	return all
}

// expectProbe fails the test unless the probe came out as it should.
func expectProbe(t testing.TB, outcome probe.Outcome, code int, args ...string) probe.Report {
	t.Helper()
	r, got := lab.Probe(t, args...)
	if r.Outcome != outcome || got != code {
		t.Errorf("probe %q: %s with exit code %d, want %s with %d: %s", args, r.Outcome, got, outcome, code, r.Err)
	}
	return r
}

// TestProbeWorksInEveryWayOnSamba: real Kerberos and NTLM, a real endpoint mapper and RPC runtime. Every session is closed
// by NspiUnbind, none is left to be run down.
func TestProbeWorksInEveryWayOnSamba(t *testing.T) {
	samba := lab.StartSamba(t)
	expectProbe(t, probe.OutcomeAnonymousRefused, 0, samba.Address)
	for _, w := range probeWays(t, samba) {
		t.Run(w.name, func(t *testing.T) {
			before := samba.Status(t)
			r := expectProbe(t, probe.OutcomeOK, 0, append(w.args, samba.Address)...)
			after := samba.Status(t)
			if r.Entries != 12 || r.Address != samba.Address {
				t.Errorf("%+v", r)
			}
			if after.Sessions != 0 || after.Granted != before.Granted+1 || after.Unbound != before.Unbound+1 || after.RunDown != before.RunDown {
				t.Errorf("the domain controller counts %+v, then %+v", before, after)
			}
		})
	}
}

func TestProbeTellsWhyItIsRefused(t *testing.T) {
	samba := lab.StartSamba(t)
	wrong := lab.PasswordFile(t, lab.User{Name: lab.Alice.Name, Password: "wrong"})
	kerberos := []string{"--auth", "kerberos", "--krb5-conf", samba.File("krb5.conf"), "--user", lab.Alice.Name, samba.Address}
	for _, tc := range []struct {
		args []string
		err  string // a part of the error
	}{
		{[]string{"--auth", "ntlm", "--user", lab.Domain + `\` + lab.Alice.Name, "--password-file", wrong, samba.Address}, "rpc_bind: fault sec_pkg_error"},
		{append(kerberos, "--host", lab.SambaHost, "--password-file", wrong), "KDC_ERR_PREAUTH_FAILED"},
		{append(kerberos, "--spn", "exchangeMDB/"+lab.SambaHost, "--keytab", samba.UserKeytab(lab.Alice)), "KDC_ERR_S_PRINCIPAL_UNKNOWN"},
		{append(kerberos, "--host", lab.SambaHost, "--keytab", samba.UserKeytab(lab.Bob)), "ticket: "},
	} {
		if r := expectProbe(t, probe.OutcomeAuthFailed, 1, tc.args...); !strings.Contains(r.Err, tc.err) {
			t.Errorf("%q: %q", tc.args, r.Err)
		}
	}
	samba.SetLimit(t, 0)
	for _, w := range probeWays(t, samba) {
		expectProbe(t, probe.OutcomeRefusedLimit, 3, append(w.args, samba.Address)...)
	}
	if s := samba.Status(t); s.Granted != 0 || s.Sessions != 0 {
		t.Errorf("the domain controller counts %+v", s)
	}
}

// TestProbeGoesThroughTheProxy as any client does: its session is counted and freed, and refused by the limit in the same
// words, where the proxy can say them.
func TestProbeGoesThroughTheProxy(t *testing.T) {
	samba := lab.StartSamba(t)
	open := lab.StartProxy(t, lab.ProxyOptions{Front: "127.0.20.70", Samba: samba, Limit: 1})
	closed := lab.StartProxy(t, lab.ProxyOptions{Front: "127.0.20.71", Samba: samba, Limit: 0})
	keyed := lab.StartProxy(t, lab.ProxyOptions{Front: "127.0.20.72", Samba: samba, Limit: 0, More: fmt.Sprintf(
		"identity:\n  keytabs: [%s, %s]\n", samba.MachineKeytab(), samba.File("users.keytab"))})
	for _, w := range probeWays(t, samba) {
		t.Run(w.name, func(t *testing.T) {
			expectProbe(t, probe.OutcomeOK, 0, append(w.args, open.Front)...)
			expectProbe(t, probe.OutcomeRefusedLimit, 3, append(w.args, keyed.Front)...)
			if w.protected() {
				expectProbe(t, probe.OutcomeAuthFailed, 1, append(w.args, closed.Front)...) // a fault: access denied
			} else {
				expectProbe(t, probe.OutcomeRefusedLimit, 3, append(w.args, closed.Front)...)
			}
			for _, p := range []*lab.Proxy{open, closed, keyed} {
				lab.CheckSambaHeld(t, p, samba, 0)
			}
		})
	}
	if s := samba.Status(t); s.Granted != s.Unbound || s.RunDown != 0 {
		t.Errorf("the domain controller counts %+v", s)
	}
	if n := keyed.Metrics(t).Sum("nspiproxy_unverified_pdus_total"); n != 0 {
		t.Errorf("%v PDUs did not verify", n)
	}
}

// TestProbeSpeaksNSPIAsTsharkReadsIt: nothing of it is malformed, and the calls are those it names.
func TestProbeSpeaksNSPIAsTsharkReadsIt(t *testing.T) {
	dc := lab.StartDC(t, lab.DCOptions{Address: "127.0.10.73", Anonymous: true})
	capture := lab.StartCapture(t, "tcp and host "+dc.Address)
	r := expectProbe(t, probe.OutcomeOK, 0, dc.Address)
	capture.Stop(t)
	// tshark knows the name of NspiUpdateStat and nothing of what is in it.
	unknown := func(row []string) bool { return row[3] == "Long frame" }
	if c := slices.DeleteFunc(lab.Complaints(t, capture.File), unknown); len(c) != 0 {
		t.Errorf("tshark complains: %q", c)
	}
	var opnums []string
	for _, row := range lab.Dissect(t, capture.File, fmt.Sprintf("dcerpc.pkt_type == 0 && tcp.dstport == %d", r.NSPIPort), "dcerpc.opnum") {
		opnums = append(opnums, row[0])
	}
	if !slices.Equal(opnums, []string{"0", "2", "1"}) {
		t.Errorf("opnums %q", opnums)
	}
	if n := dc.Count(t).Sessions; n != 0 {
		t.Errorf("%d sessions left", n)
	}
}
