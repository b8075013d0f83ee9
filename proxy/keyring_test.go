package proxy

import (
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/oiweiwei/gokrb5.fork/v9/keytab"
	"github.com/oiweiwei/gokrb5.fork/v9/types"

	"github.com/nspiproxy/nspiproxy/internal/testkit/forge"
	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/inspect"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/krb5"
)

// ringAccounts are accounts of a keytab and their keys.
type ringAccounts map[string]types.EncryptionKey

// write makes a keytab file of them.
func (a ringAccounts) write(t *testing.T, path string) {
	t.Helper()
	file := keytab.New()
	for name, key := range a {
		e := keytab.NewEntry()
		e.Principal = keytab.Principal{NumComponents: 1, Realm: forge.Realm, Components: []string{name}, NameType: 1}
		e.KVNO8, e.KVNO, e.Key, e.Timestamp = 5, 5, key, time.Unix(1, 0)
		file.Entries = append(file.Entries, e)
	}
	b, err := file.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// newRing is the keyring of a proxy with these accounts, in front of dc1, whose
// host name is configured, a backend whose controllers DNS names, and others.
func newRing(t *testing.T, accounts ringAccounts) (r *keyring, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "dc.keytab")
	accounts.write(t, path)
	c := &policy.Config{Backends: []policy.Backend{{Name: "first", Host: "dc1.lab.test"}, {Name: "all"}}}
	c.Identity.Keytabs = []policy.File{policy.File(path)}
	r, problems := newKeyring(c, discardEvents{})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return r, path
}

type discardEvents struct{}

func (discardEvents) Report(inspect.Event) {}
func (discardEvents) Verbose() bool        { return false }

// opens reports whether the keys for connections to a server open a ticket for a key.
func opens(r *keyring, server string, key types.EncryptionKey) (*krb5.Initiated, bool) {
	c := &forge.Client{Ticket: forge.NewTicket(key, "alice", "S-1-5-21-1-2-3-1103"), Flags: forge.DCEStyle}
	in, _ := krb5.OpenAPReq(c.Request(), r.Current(server).Kerberos())
	return in, in != nil
}

func TestTicketsAreOpenedWithTheKeyOfTheirServerAlone(t *testing.T) {
	dc1, dc2, alice := forge.NewKey(1), forge.NewKey(2), forge.NewKey(3)
	r, _ := newRing(t, ringAccounts{"DC1$": dc1, "DC2$": dc2, "alice": alice})
	for _, tc := range []struct {
		server string
		key    types.EncryptionKey
		want   bool
	}{
		{"first", dc1, true},
		{"first", dc2, false},
		{"all/dc2.lab.test", dc2, true},
		{"all/dc2.lab.test", dc1, false},
		{"192.0.2.1", dc1, true}, // nothing is known of it yet
		{"192.0.2.1", dc2, true},
		{"first", alice, false},
		{"192.0.2.1", alice, false},
	} {
		if _, ok := opens(r, tc.server, tc.key); ok != tc.want {
			t.Errorf("a connection to %s opens: %t, want %t", tc.server, ok, tc.want)
		}
	}
}

func TestKeyringWithoutComputersHasNoKeysForTickets(t *testing.T) {
	r, _ := newRing(t, ringAccounts{"alice": forge.NewKey(3)})
	if s := r.Current("first").Kerberos(); s != nil {
		t.Error("an account's key vouches for others")
	}
}

func TestWhatIsLearntOfAServerEndsWithItsKeytab(t *testing.T) {
	dc1, dc2 := forge.NewKey(1), forge.NewKey(2)
	r, path := newRing(t, ringAccounts{"DC1$": dc1, "DC2$": dc2})
	in, ok := opens(r, "192.0.2.1", dc1)
	if !ok {
		t.Fatal("the ticket is not opened")
	}
	r.Current("192.0.2.1").Kerberos().Confirm(in)
	if _, ok := opens(r, "192.0.2.1", dc2); ok {
		t.Error("another account's key opens a ticket for a known server")
	}
	if _, ok := opens(r, "192.0.2.2", dc2); !ok {
		t.Error("one server was learnt, and another is known by it")
	}
	dc3 := forge.NewKey(4)
	ringAccounts{"DC1$": dc1, "DC2$": dc2, "DC3$": dc3}.write(t, path)
	r.reload()
	for name, key := range map[string]types.EncryptionKey{"DC2$": dc2, "DC3$": dc3} {
		if _, ok := opens(r, "192.0.2.1", key); !ok {
			t.Errorf("after a reload %s does not open", name)
		}
	}
}

func TestKeyringRemembersABoundedNumberOfServers(t *testing.T) {
	r, _ := newRing(t, ringAccounts{"DC1$": forge.NewKey(1)})
	for n := range maxServers + 10 {
		if r.Current("192.0.2.1:"+strconv.Itoa(n)).Kerberos() == nil {
			t.Fatal("no keys")
		}
	}
	if n := len(r.now.Load().servers); n != maxServers {
		t.Errorf("%d servers are remembered", n)
	}
}

// Event loops share the keys of a server: run with -race.
func TestKeysOfAServerAreSharedByEventLoops(t *testing.T) {
	dc1 := forge.NewKey(1)
	r, path := newRing(t, ringAccounts{"DC1$": dc1, "DC2$": forge.NewKey(2)})
	var loops sync.WaitGroup
	for range 4 {
		loops.Go(func() {
			for range 20 {
				if in, ok := opens(r, "192.0.2.1", dc1); ok {
					r.Current("192.0.2.1").Kerberos().Confirm(in)
				} else {
					t.Error("the ticket is not opened")
				}
			}
		})
	}
	ringAccounts{"DC1$": dc1}.write(t, path)
	r.reload()
	loops.Wait()
}
