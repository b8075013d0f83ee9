package directory

import (
	"encoding/binary"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/oiweiwei/gokrb5.fork/v9/keytab"

	"github.com/nspiproxy/nspiproxy/internal/testkit/kdc"
	"github.com/nspiproxy/nspiproxy/internal/testkit/loopback"
)

// hostileKDC answers every request with the same bytes.
func hostileKDC(t *testing.T, answer []byte) string {
	t.Helper()
	return loopback.Serve(t, func(c *net.TCPConn) {
		_, _ = c.Read(make([]byte, 4096))
		_, _ = c.Write(answer)
		c.Close()
	})
}

func TestHostileKDCIsAnError(t *testing.T) {
	message := func(b string) []byte { return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...) }
	for name, answer := range map[string][]byte{
		"4 GiB announced":      {0xff, 0xff, 0xff, 0xff, 1},
		"nothing":              nil,
		"half a length":        {0, 0},
		"empty":                {0, 0, 0, 0},
		"cut off":              append(binary.BigEndian.AppendUint32(nil, 100), 1),
		"garbage":              message("hello"),
		"AS-REP of nothing":    message("\x6b\x02\x30\x00"),
		"KRB-ERROR of nothing": message("\x7e\x02\x30\x00"),
	} {
		t.Run(name, func(t *testing.T) {
			s := newFakeServer(t, true, forestEntries()...)
			conf := "[libdefaults]\n default_realm = LAB.EXAMPLE\n[realms]\n LAB.EXAMPLE = {\n  kdc = " + hostileKDC(t, answer) + "\n }\n"
			entry := "\x00\x01\x00\x0bLAB.EXAMPLE\x00\x03svc\x00\x00\x00\x01\x00\x00\x00\x00\x01\x00\x12\x00\x20" + strings.Repeat("k", 32)
			d := s.open(t, func(c *Config) {
				c.BindDN, c.Kerberos = "svc@LAB.EXAMPLE", &Kerberos{Config: conf}
				c.Secret = func() ([]byte, error) { return []byte("\x05\x02\x00\x00\x00" + string(rune(len(entry))) + entry), nil }
			})
			_, err := ask(t, d, `LAB\alice`)
			if err == nil || !strings.Contains(err.Error(), "binding as svc@LAB.EXAMPLE") || strings.Contains(err.Error(), "kkkk") {
				t.Error(err)
			}
			if name == "4 GiB announced" && !strings.Contains(err.Error(), "4294967295 bytes is announced") {
				t.Error(err)
			}
		})
	}
}

// What a goroutine of the Kerberos library reads is beyond recover: the library
// renews tickets in one, and panics there on some answers of a KDC.
func TestNoGoroutineTalksToTheKDCBesideTheBind(t *testing.T) {
	s := newFakeServer(t, true, forestEntries()...)
	k, err := kdc.Start(kdc.Config{Realm: "LAB.EXAMPLE", Etype: 18, User: "svc", Password: "secret", Services: []string{"ldap/127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	keys := keytab.New()
	if err := keys.AddEntry("svc", "LAB.EXAMPLE", "secret", time.Now(), 1, 18); err != nil {
		t.Fatal(err)
	}
	stacks := make(chan string, 1)
	s.sasl = func(token []byte) ([]byte, int) {
		if id, _, err := unframe(token); err != nil || id != tokenAPReq {
			t.Errorf("no AP-REQ: %x, %v", id, err)
		}
		buf := make([]byte, 4<<20)
		stacks <- string(buf[:runtime.Stack(buf, true)])
		return nil, ldap.LDAPResultInvalidCredentials
	}
	d := s.open(t, func(c *Config) {
		c.BindDN, c.Kerberos = "svc@LAB.EXAMPLE", &Kerberos{Config: k.Krb5Conf()}
		c.Secret = func() ([]byte, error) { return keys.Marshal() }
	})
	if _, err := ask(t, d, `LAB\alice`); !ldap.IsErrorWithCode(err, ldap.LDAPResultInvalidCredentials) {
		t.Fatal(err)
	}
	for _, stack := range strings.Split(<-stacks, "\n\n") {
		if strings.Contains(stack, "created by github.com/oiweiwei/gokrb5") {
			t.Error(stack)
		}
	}
}
