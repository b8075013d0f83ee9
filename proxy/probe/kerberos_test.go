package probe_test

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/kdc"
	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
	"github.com/nspiproxy/nspiproxy/proxy/probe"
)

// kerberosAt is the target dc with tickets from kdc.
func kerberosAt(t testing.TB, dc *simdc.Server, kdc netip.AddrPort) probe.Target {
	t.Helper()
	conf := filepath.Join(t.TempDir(), "krb5.conf")
	text := fmt.Sprintf("[libdefaults]\n\tdefault_realm = LAB.TEST\n[realms]\n\tLAB.TEST = {\n\t\tkdc = %s\n\t}\n", kdc)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	target := at(dc)
	target.Auth, target.User, target.PasswordFile, target.Krb5Conf = probe.AuthKerberos, user, private(t, password), conf
	target.SPN = probe.ServiceClass + "dc1.lab.test"
	return target
}

// askedKDC reads a request to a KDC and answers it.
func askedKDC(answer ...byte) func(*net.TCPConn) {
	return func(c *net.TCPConn) {
		if _, err := c.Read(make([]byte, 4096)); err != nil {
			return
		}
		_, _ = c.Write(answer)
		eof(c)
	}
}

func TestHostileKDCsFailTheTicketAndNothingElse(t *testing.T) {
	dc := start(t, simdc.Config{})
	for what, tc := range map[string]struct {
		kdc  func(*net.TCPConn)
		want string
	}{
		"the end":               {func(*net.TCPConn) {}, ""},
		"4 GiB":                 {askedKDC(0xff, 0xff, 0xff, 0xff), "a reply of 4294967295 bytes is announced"},
		"64 KiB":                {askedKDC(0, 1, 0, 0), "a reply of 65536 bytes is announced"},
		"nothing":               {askedKDC(0, 0, 0, 0), "an empty reply"},
		"garbage":               {askedKDC(append([]byte{0, 0, 1, 0}, make([]byte, 256)...)...), ""},
		"nested without end":    {askedKDC(append([]byte{0, 0, 4, 0}, []byte(strings.Repeat("\x6b\x80", 512))...)...), ""},
		"a length beyond":       {askedKDC(0, 0, 0, 6, 0x6b, 0x84, 0x7f, 0xff, 0xff, 0xff), ""},
		"an error without body": {askedKDC(0, 0, 0, 2, 0x7e, 0), ""},
	} {
		target := kerberosAt(t, dc, serve(t, tc.kdc))
		allocates(t, enough, func() {
			r := probe.Run(t.Context(), target)
			check(t, r, probe.OutcomeAuthFailed, "epm_connect ept_map nspi_connect TICKET")
			if !strings.Contains(r.Err, tc.want) || !r.Result().Reachable || !r.Result().NotProbed {
				t.Errorf("%s: %+v", what, r.Result())
			}
		})
	}
}

func TestSilentKDCsFailTheTicketInTime(t *testing.T) {
	t.Parallel()
	for what, kdc := range map[string]func(*net.TCPConn){
		"nothing": eof,
		"half a length": func(c *net.TCPConn) {
			_, _ = c.Write([]byte{0, 0})
			_, _ = io.Copy(io.Discard, c)
		},
		"half a reply": askedKDC(0, 0, 1, 0, 1, 2, 3),
	} {
		target := kerberosAt(t, start(t, simdc.Config{}), serve(t, kdc))
		target.Timeout = 500 * time.Millisecond
		r := probe.Run(t.Context(), target)
		check(t, r, probe.OutcomeAuthFailed, "epm_connect ept_map nspi_connect TICKET")
		if r.Err != "ticket: no answer in time" {
			t.Errorf("%s: %q", what, r.Err)
		}
	}
}

func TestUnusableFilesSayNothingAboutTheServer(t *testing.T) {
	dc := start(t, simdc.Config{})
	kdc := serve(t, eof)
	for what, change := range map[string]func(*probe.Target){
		"no password":       func(t *probe.Target) { t.PasswordFile += ".absent" },
		"an empty password": func(x *probe.Target) { x.PasswordFile = private(t, "\n") },
		"a public password": func(x *probe.Target) { _ = os.Chmod(x.PasswordFile, 0o644) },
		"no keytab":         func(x *probe.Target) { x.PasswordFile, x.Keytab = "", private(t, "\x05\x02\x00") },
		"a short keytab":    func(x *probe.Target) { x.PasswordFile, x.Keytab = "", private(t, "\x05\x02\x7f\xff\xff\xff\x00\x01") },
		"no configuration":  func(t *probe.Target) { t.Krb5Conf += ".absent" },
		"no realm":          func(x *probe.Target) { x.Krb5Conf = private(t, "[libdefaults]\n") },
		"a contradiction":   func(t *probe.Target) { t.Keytab = t.PasswordFile },
	} {
		target := kerberosAt(t, dc, kdc)
		change(&target)
		r := probe.Run(t.Context(), target)
		if r.Outcome != probe.OutcomeNotProbed || !r.Result().NotProbed || !strings.HasPrefix(r.Err, "credentials: ") {
			t.Errorf("%s: %s: %q", what, r.Outcome, r.Err)
		}
		if reached := r.Result().Reachable; reached != (what != "a contradiction") {
			t.Errorf("%s: reachable %v", what, reached)
		}
	}
}

// The library's errors repeat what they could not read.
func TestUnusableKeytabsAreNotQuoted(t *testing.T) {
	dc := start(t, simdc.Config{})
	for what, file := range map[string]string{
		"shorter than its entry": "\x05\x02\x00\x00\x00\x7fa key in the file",
		"an entry of nothing":    "\x05\x02\x00\x00\x00\x01\x00",
		"a key cut off":          "\x05\x02\x00\x00\x00\x18\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x01\x00\x12\x00\x20a key",
		"a line":                 "a key in a line\n",
	} {
		target := kerberosAt(t, dc, serve(t, eof))
		target.PasswordFile, target.Keytab = "", private(t, file)
		r := probe.Run(t.Context(), target)
		if r.Outcome != probe.OutcomeNotProbed || !strings.Contains(r.Err, "keytab") || strings.Contains(r.Err, "a key") {
			t.Errorf("%s: %s: %q", what, r.Outcome, r.Err)
		}
	}
}

// TestTicketIsAStepOfItsOwn: the simulated domain controller has no Kerberos, so
// the probe comes as far as its ticket.
func TestTicketIsAStepOfItsOwn(t *testing.T) {
	dc := start(t, simdc.Config{})
	k, err := kdc.Start(kdc.Config{
		Realm: "LAB.TEST", Etype: 18, User: "alice", Password: password, Services: []string{probe.ServiceClass + "dc1.lab.test"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	for _, raw := range []bool{false, true} {
		target := kerberosAt(t, dc, k.Addr())
		target.Raw = raw
		r := probe.Run(t.Context(), target)
		if got := steps(r); got != "epm_connect ept_map nspi_connect ticket RPC_BIND" {
			t.Errorf("raw %v: %s: %s", raw, got, r.Err)
		}
	}
}
