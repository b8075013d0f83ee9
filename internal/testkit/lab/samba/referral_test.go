//go:build lab

package samba

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/rfri"
)

// referralCalls is how often a connection is referred: later PDUs are numbered on from the rewritten ones.
const referralCalls = 50

// proxyName is what the listener is called, and longer than what it stands for.
const proxyName = "gc-proxy.corp.example"

// TestReferralsThatVerify drives Samba's client against Samba's server with every mechanism, level and byte order. The
// client verifies every signature, so a name that it reads was signed right.
func TestReferralsThatVerify(t *testing.T) {
	samba := lab.StartSamba(t)
	proxy := lab.StartProxy(t, lab.ProxyOptions{Front: "127.0.20.83", Samba: samba, Limit: 1, Name: proxyName, More: fmt.Sprintf(
		"identity:\n  keytabs: [%s, %s]\n", samba.MachineKeytab(), samba.File("users.keytab"))})
	for _, etype := range []string{"", "aes256", "aes128", "rc4"} {
		t.Run(mechanismName(etype), func(t *testing.T) {
			client := lab.StartSambaClient(t, samba) // its Kerberos keeps the session key type it began with
			for _, l := range sambaLogins(proxy.Front, etype) {
				t.Run(fmt.Sprintf("%s spnego=%t big-endian=%t", l.Level, l.SPNEGO, l.BigEndian), func(t *testing.T) {
					client.ReportTo(t)
					lab.Expect(t, "connect", client.Connect("c", l))
					for n := range referralCalls {
						referredBySamba(t, client, n)
					}
					lab.Expect(t, "close", client.Close("c"))
				})
			}
		})
	}
	m := proxy.Metrics(t)
	if n := m.Sum("nspiproxy_unverified_pdus_total"); n != 0 {
		t.Errorf("%v PDUs did not verify", n)
	}
	for _, result := range []string{"elsewhere", "protected"} {
		if n := m.Sum("nspiproxy_referrals_total", fmt.Sprintf("result=%q", result)); n != 0 {
			t.Errorf("%v answers are counted as %s", n, result)
		}
	}
}

// sambaLogins are all manners of binding to the referral interface with one kind of key.
func sambaLogins(address, etype string) (logins []lab.SambaLogin) {
	for _, spnego := range []bool{false, true} {
		for _, level := range []string{"connect", "packet", "integrity", "privacy"} {
			for _, big := range []bool{false, true} {
				l := lab.SambaLogin{Address: address, Auth: "kerberos", SPNEGO: spnego, Level: level, BigEndian: big, Etype: etype, User: lab.Alice, Referral: true}
				if etype == "" {
					l.Auth = "ntlm"
				}
				logins = append(logins, l)
			}
		}
	}
	return logins
}

// referredBySamba is the n-th call on connection c: in turn one whose answer leads elsewhere, by either method, one whose
// answer leads to the proxy, and one whose answer cannot be read. Samba's answers are little-endian.
func referredBySamba(t *testing.T, client *lab.SambaClient, n int) {
	t.Helper()
	opnum := uint16(n % 2)
	server := strings.Repeat("a", 1+n%40) + ".lab.example"
	if n%4 == 2 {
		server = proxyName
	}
	stub, err := rfri.AppendAnswer(nil, rfri.Answer{Opnum: opnum, Server: rfri.NewName(server)}, rfri.NDR, rpcparse.LittleEndian)
	if err != nil {
		t.Fatal(err)
	}
	if n%8 == 7 {
		stub = stub[:len(stub)-4] // no return value
	}
	a := lab.Expect(t, "referral", client.Refer("c", opnum, stub))
	got, err := hex.DecodeString(a.Stub)
	if err != nil {
		t.Fatal(err)
	}
	if n%4 == 2 || n%8 == 7 {
		if string(got) != string(stub) {
			t.Fatalf("call %d: got %x, sent %x", n, got, stub)
		}
		return
	}
	answer, err := rfri.ParseAnswer(opnum, got, rfri.NDR, rpcparse.LittleEndian)
	if err != nil || answer.Server.Text != proxyName || !answer.Refers() {
		t.Fatalf("call %d: %+v, %v", n, answer, err)
	}
}
