//go:build lab

package samba

import (
	"encoding/hex"
	"fmt"
	"slices"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
)

const (
	keysLimit = 3    // sessions per user at the proxy; Samba's own limit is far above
	keysCalls = 1000 // calls on a connection after its refusal
)

// keyedProxy is a proxy in front of samba with the keys of the domain controller and of all users.
func keyedProxy(t *testing.T, samba *lab.Samba, front string) *lab.Proxy {
	return lab.StartProxy(t, lab.ProxyOptions{Front: front, Samba: samba, Limit: keysLimit, More: fmt.Sprintf(
		"identity:\n  keytabs: [%s, %s]\n", samba.MachineKeytab(), samba.File("users.keytab"))})
}

// TestRefusalsThatVerify drives Samba's client against Samba's server through the proxy, with every mechanism, level and
// byte order. The client verifies every signature, so a refusal that it takes for MAPI_E_LOGON_FAILED was signed right.
func TestRefusalsThatVerify(t *testing.T) {
	samba := lab.StartSamba(t)
	proxy := keyedProxy(t, samba, "127.0.20.60")
	for _, etype := range []string{"", "aes256", "aes128", "rc4"} {
		// A process of its own: Samba's runtime keeps the session key type it began with.
		t.Run(mechanismName(etype), func(t *testing.T) { keysOfOneType(t, samba, proxy, etype) })
	}
	if n := proxy.Metrics(t).Sum("nspiproxy_unverified_pdus_total"); n != 0 {
		t.Errorf("%v PDUs did not verify", n)
	}
	checkIdentities(t, samba, proxy)
}

func mechanismName(etype string) string {
	if etype == "" {
		return "ntlm"
	}
	return "kerberos " + etype
}

func keysOfOneType(t *testing.T, samba *lab.Samba, proxy *lab.Proxy, etype string) {
	client := lab.StartSambaClient(t, samba)
	for _, spnego := range []bool{false, true} {
		for _, level := range []string{"connect", "integrity", "privacy"} {
			for _, big := range []bool{false, true} {
				l := lab.SambaLogin{Address: proxy.Front, Auth: "kerberos", SPNEGO: spnego, Level: level, BigEndian: big, Etype: etype, User: lab.Alice}
				if etype == "" {
					l.Auth = "ntlm"
				}
				name := fmt.Sprintf("%s spnego=%t big-endian=%t", level, spnego, big)
				t.Run(name, func(t *testing.T) { limitAndLife(t, samba, proxy, client, l) })
			}
		}
	}
}

// limitAndLife binds up to the limit and over it, and then uses the connection as if nothing had been.
func limitAndLife(t *testing.T, samba *lab.Samba, proxy *lab.Proxy, client *lab.SambaClient, l lab.SambaLogin) {
	const conn = "c"
	client.ReportTo(t)
	lab.Expect(t, "connect", client.Connect(conn, l))
	reached := samba.Status(t).Granted
	var handles []string
	for range keysLimit {
		handles = append(handles, lab.Expect(t, "bind", client.Bind(conn)).Handle)
	}
	lab.ExpectLogonFailed(t, client.Bind(conn))
	lab.Expect(t, "unbind", client.Unbind(conn, inOrder(handles[0], l.BigEndian)))
	lab.Expect(t, "bind after an unbind", client.Bind(conn))
	lab.ExpectLogonFailed(t, client.BindWithoutGUID(conn))
	if got := samba.Status(t).Granted - reached; got != keysLimit+1 {
		t.Errorf("%d binds were granted by the domain controller, want %d", got, keysLimit+1)
	}
	for sizes := range slices.Chunk(mixedSizes(), 50) {
		lab.Expect(t, "pipelined calls", client.Echo(conn, sizes...))
	}
	lab.ExpectLogonFailed(t, client.Bind(conn))
	if held := samba.Status(t).Sessions; held != keysLimit {
		t.Errorf("the domain controller has %d sessions, want %d", held, keysLimit)
	}
	lab.Expect(t, "close", client.Close(conn))
	lab.Eventually(t, lab.SettleTime, "no session is held", func() bool {
		return samba.Status(t).Sessions == 0 && proxy.Metrics(t).Sum("nspiproxy_sessions_held") == 0
	})
}

// mixedSizes are the stub sizes of the calls: mostly small, some of several fragments, up to 200 KiB.
func mixedSizes() []int {
	sizes := make([]int, keysCalls)
	for n := range sizes {
		switch {
		case n%250 == 249:
			sizes[n] = 200 << 10
		case n%25 == 24:
			sizes[n] = 5000 + n*31
		default:
			sizes[n] = 1 + n*13%1500
		}
	}
	return sizes
}

// inOrder is a handle in the byte order of the client's PDUs: the server sends little-endian ones to everybody, and the
// client is steered with raw bytes.
func inOrder(handle string, big bool) string {
	b, err := hex.DecodeString(handle)
	if !big || err != nil || len(b) != 20 {
		return handle
	}
	for _, field := range [][]byte{b[0:4], b[4:8], b[8:10], b[10:12]} {
		slices.Reverse(field)
	}
	return hex.EncodeToString(b)
}

// checkIdentities: refusals name the account's objectSid where a ticket was opened.
func checkIdentities(t *testing.T, samba *lab.Samba, proxy *lab.Proxy) {
	sids := map[any]int{}
	for _, r := range proxy.Refusals() {
		sids[r["sid"]]++
		if r["assurance"] == "verified" && r["sid"] != samba.SID(t, lab.Alice.Name) {
			t.Errorf("the log says %v, the directory %s", r["sid"], samba.SID(t, lab.Alice.Name))
		}
	}
	if sids[samba.SID(t, lab.Alice.Name)] == 0 {
		t.Errorf("no refusal names alice's SID: %v", sids)
	}
}
