//go:build lab

package directory

import (
	"crypto/x509"
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
)

// TestSambaKnowsItsAccounts asks a real domain controller in every way of
// connecting and binding.
func TestSambaKnowsItsAccounts(t *testing.T) {
	dc := lab.StartSamba(t)
	roots := x509.NewCertPool()
	pem, err := os.ReadFile(dc.File("tls/ca.pem"))
	if err != nil || !roots.AppendCertsFromPEM(pem) {
		t.Fatal("no certificate", err)
	}
	conf, err := os.ReadFile(dc.File("krb5.conf"))
	if err != nil {
		t.Fatal(err)
	}
	password := func() ([]byte, error) { return []byte(lab.Alice.Password + "\n"), nil }
	keytab := func() ([]byte, error) { return os.ReadFile(dc.UserKeytab(lab.Bob)) }
	kerberos := &Kerberos{Config: string(conf)}
	for name, c := range map[string]Config{
		"LDAPS, account":     {URL: "ldaps://" + lab.SambaHost, BindDN: `LAB\alice`, Secret: password},
		"StartTLS, UPN":      {URL: "ldap://" + lab.SambaHost, StartTLS: true, BindDN: "alice@lab.test", Secret: password},
		"global catalog, DN": {URL: "ldaps://" + lab.SambaHost + ":3269", BindDN: "CN=alice,CN=Users,DC=lab,DC=test", Secret: password},
		"LDAPS, Kerberos":    {URL: "ldaps://" + lab.SambaHost, BindDN: "bob@LAB.TEST", Secret: keytab, Kerberos: kerberos},
		"StartTLS, Kerberos": {URL: "ldap://" + lab.SambaHost, StartTLS: true, BindDN: "bob@LAB.TEST", Secret: keytab, Kerberos: kerberos},
		"below a base":       {URL: "ldaps://" + lab.SambaHost, BaseDN: "DC=lab,DC=test", BindDN: `LAB\alice`, Secret: password},
	} {
		t.Run(name, func(t *testing.T) {
			c.RootCAs = roots
			d := openAt(t, c, dc.Address)
			testSambaAccounts(t, d, dc)
		})
	}
	t.Run("wrong password", func(t *testing.T) {
		d := openAt(t, Config{
			URL: "ldaps://" + lab.SambaHost, RootCAs: roots, BindDN: `LAB\alice`,
			Secret: func() ([]byte, error) { return []byte("hunter2"), nil },
		}, dc.Address)
		if _, err := ask(t, d, `LAB\alice`); !errors.Is(err, ErrDown) || strings.Contains(err.Error(), "hunter2") {
			t.Error(err)
		}
	})
}

// openAt opens a directory that connects to an address, as if a name server
// gave it for the host of the URL.
func openAt(t *testing.T, c Config, address string) *Directory {
	t.Helper()
	d, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	_, port, err := net.SplitHostPort(d.server.address)
	if err != nil {
		t.Fatal(err)
	}
	d.server.address = net.JoinHostPort(address, port)
	return d
}

func testSambaAccounts(t *testing.T, d *Directory, dc *lab.Samba) {
	alice := dc.SID(t, "alice")
	users := alice[:strings.LastIndexByte(alice, '-')] + "-513" // Domain Users
	for _, spelling := range []string{`LAB\alice`, `lab\ALICE`, `lab.test\alice`, "alice", `\alice`, "alice@lab.test", "Alice@LAB"} {
		r, err := ask(t, d, spelling)
		if err != nil || r.SID != alice || r.Account() != `LAB\alice` || !slices.Contains(r.Groups, users) {
			t.Errorf("%s: %+v, %v, want %s", spelling, r, err, alice)
		}
	}
	for account, want := range map[string]string{`LAB\DC1$`: "DC1$", `LAB\Administrator`: "Administrator", "bob@lab.test": "bob"} {
		if r, err := ask(t, d, account); err != nil || r.SID != dc.SID(t, want) {
			t.Errorf("%s: %+v, %v", account, r, err)
		}
	}
	for _, account := range []string{`LAB\*`, `LAB\a*`, `LAB\alice)(objectClass=*`, `LAB\\61lice`, `LAB\nobody`, `OTHER\alice`, "*@lab.test", "alice@other.test", `LAB\Domain Users`} {
		if r, err := ask(t, d, account); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %+v, %v", account, r, err)
		}
	}
}
