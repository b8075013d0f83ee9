//go:build lab

package identity

import (
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/ntlm"
)

// spelling is a name as a client may write it.
type spelling struct {
	domain, user string
	// unasked says that the client does not ask the server what it is called, which does not say so then.
	unasked bool
}

func spelt(domain, user string) spelling { return spelling{domain: domain, user: user} }

// spellings are ways to write alice's name, some of which no domain controller takes for it.
func spellings() (all []spelling) {
	domains := []string{
		"", "LAB", "lab", "lab.test", "LAB.TEST", "lab.test.", "DC1", "dc1", "dc1.lab.test", ".", "X0", "x1", "OTHER.TEST", "BUILTIN",
		"NT AUTHORITY", "WORKGROUP", "\x01", "\t", " ", "LAB ", " LAB", "L\u0000AB", "LAB\x00", strings.Repeat("d", 300), strings.Repeat("D", 600),
		`LAB\svc-x`, `LAB\`, `\`, "LAB/", "alice@lab.test", "LAB@", "LÁB", "ＬＡＢ", "\u202eLAB", "\ufffd", "S-1-5-21-1-2-3", "127.0.40.10",
		"krbtgt", "DC=lab,DC=test", "*", "LAB*",
	}
	for _, d := range domains {
		all = append(all, spelt(d, "alice"))
	}
	for _, user := range []string{
		"ALICE", "Alice", "alice ", " alice", "al  ice", "al ice", "ａｌｉｃｅ", "álice", "alice\x00", "al\x00ice", "alice\u200e", "al\u0131ce",
		"alice$", "alice@lab.test", "alice@LAB.TEST", "ALICE@lab.test", "alice@LAB", "alice@lab", "alice@madeup", "alice@madeup.example",
		"alice@", "@alice", `LAB\alice`, `lab.test\alice`, `X\alice`, "LAB/alice", "alice.", "alice,", "CN=alice,CN=Users,DC=lab,DC=test",
		"alice@lab.test@lab.test", "alice@dc1.lab.test",
	} {
		all = append(all, spelt("", user), spelt("LAB", user))
	}
	for _, d := range []string{"", "LAB", "X0", "X1", "X2", "x2", "lab.test", "OTHER.TEST"} {
		all = append(all, spelling{d, "alice", true})
	}
	return append(all, spelt("X", "alice@lab.test"), spelt("X", "alice@LAB"), spelt("X", "alice@madeup"), spelt("X", `LAB\alice`), spelt("X", "ALICE "))
}

// unsigned are the flags that a client at level connect does not ask for: Samba faults requests without a signature else.
const unsigned = ntlm.FlagSign | ntlm.FlagSeal | ntlm.FlagAlwaysSign | ntlm.FlagKeyExchange

// logon presents a name and a password, and opens a session.
func logon(t testing.TB, address string, s spelling, password string) (x *lab.Exchange, bind string) {
	t.Helper()
	x = lab.DialExchange(t, address, rpcparse.AuthNTLM)
	if why := authenticate(t, x, s, password); why != "" {
		return x, why
	}
	return x, x.NspiBind()
}

// authenticate makes a security context; why is empty if nothing was refused yet.
func authenticate(t testing.TB, x *lab.Exchange, s spelling, password string) (why string) {
	t.Helper()
	i := ntlm.Initiator{Domain: s.domain, User: s.user, Password: password, Workstation: "PC1", Without: unsigned}
	if s.unasked {
		i.Without |= ntlm.FlagRequestTarget | ntlm.FlagTargetInfo
	}
	negotiate, err := i.Negotiate()
	if err != nil {
		t.Fatal(err)
	}
	challenge, ok, why := x.Leg(negotiate)
	if !ok {
		return why
	}
	token, err := i.Authenticate(challenge)
	if err != nil {
		return err.Error()
	}
	if err := x.Last(token); err != nil {
		return err.Error()
	}
	return ""
}

// nspiPort is the port of NSPI at address, which serves the endpoint mapper.
func nspiPort(t testing.TB, address string) string {
	t.Helper()
	port, err := (*lab.Machine)(nil).MapPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort(address, strconv.Itoa(int(port)))
}

// became returns whom the domain controller has made of the name that x presented; empty: nobody.
func became(t testing.TB, samba *lab.Samba, x *lab.Exchange) (sid string) {
	t.Helper()
	lab.Eventually(t, lab.SettleTime, "the domain controller says who it is", func() bool {
		for _, a := range samba.Audit(t, x.Local()) {
			if a.Kind == "Authentication" {
				if a.Status == "NT_STATUS_OK" {
					sid = a.SID
				}
				return true
			}
		}
		return false
	})
	return sid
}

// TestSpellingsOfOneAccountHaveOneLimit: whatever the name, the domain controller says whose session it would be, and all of
// alice's together are no more than she may have; a rule for her is a rule for all of them.
func TestSpellingsOfOneAccountHaveOneLimit(t *testing.T) {
	const limit = 5
	samba := lab.StartSamba(t)
	direct, alice := nspiPort(t, samba.Address), samba.SID(t, lab.Alice.Name)
	hers := map[spelling]bool{}
	for _, s := range spellings() {
		x, bind := logon(t, direct, s, lab.Alice.Password)
		x.Close()
		sid := became(t, samba, x)
		hers[s] = sid == alice
		if granted := bind == "granted"; granted != (sid != "") || sid != "" && sid != alice {
			t.Errorf("%+v became %q, and the domain controller answers %s", s, sid, bind)
		}
	}
	proxy := lab.StartProxy(t, lab.ProxyOptions{Front: "127.0.20.91", Samba: samba, Limit: limit})
	ruled := lab.StartProxy(t, lab.ProxyOptions{Front: "127.0.20.92", Samba: samba, Limit: 50, Policy: "  rules:\n    - {name: alice, match: {account: 'LAB\\alice'}, limit: 0}\n"})
	granted := 0
	for _, s := range spellings() {
		_, bind := logon(t, nspiPort(t, proxy.Front), s, lab.Alice.Password)
		if bind == "granted" {
			granted++
		}
		x, byRule := logon(t, nspiPort(t, ruled.Front), s, lab.Alice.Password)
		x.Close()
		if bind == "granted" && !hers[s] || byRule == "granted" || hers[s] && byRule != "refused" {
			t.Errorf("%+v, alice's for the domain controller: %t; it is %s, with a rule against her %s", s, hers[s], bind, byRule)
		}
	}
	if granted != limit || samba.Status(t).Users[alice] != limit {
		t.Errorf("%d of %d are granted, alice holds %d, want %d", granted, len(spellings()), samba.Status(t).Users[alice], limit)
	}
	lab.CheckSambaHeld(t, proxy, samba, limit)
}
