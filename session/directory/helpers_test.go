package directory

import (
	"context"
	"encoding/binary"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// The SIDs of the forest that tests use.
const (
	sidAlice      = "S-1-5-21-1-2-3-1105"
	sidChildAlice = "S-1-5-21-1-2-4-1105"
	sidBob        = "S-1-5-21-1-2-3-1106"
	sidMachine    = "S-1-5-21-1-2-3-1107"
	sidUsers      = "S-1-5-21-1-2-3-513"
	sidTeam       = "S-1-5-21-1-2-3-1200"
)

// binarySID is the reverse of parseSID.
func binarySID(text string) string {
	parts := strings.Split(text, "-")[2:]
	b := []byte{1, byte(len(parts) - 1), 0, 0, 0, 0, 0, 0}
	for i, part := range parts {
		var n uint32
		if _, err := fmt.Sscan(part, &n); err != nil {
			panic(err)
		}
		if i == 0 {
			b[7] = byte(n)
			continue
		}
		b = binary.LittleEndian.AppendUint32(b, n)
	}
	return string(b)
}

// person is an account below base.
func person(base, user, upn, sid string, groups ...string) fakeEntry {
	e := fakeEntry{"CN=" + user + ",CN=Users," + base, map[string][]string{
		"objectClass": {"top", "person", "user"}, "sAMAccountName": {user}, "objectSid": {binarySID(sid)},
	}}
	if upn != "" {
		e.attributes["userPrincipalName"] = []string{upn}
	}
	for _, g := range groups {
		e.attributes["tokenGroups"] = append(e.attributes["tokenGroups"], binarySID(g))
	}
	return e
}

func crossRef(base, netbios, dns string) fakeEntry {
	e := fakeEntry{"CN=" + netbios + ",CN=Partitions,CN=Configuration,DC=lab,DC=example", map[string][]string{
		"objectClass": {"top", "crossRef"}, "nCName": {base}, "dnsRoot": {dns},
	}}
	if netbios != "" {
		e.attributes["nETBIOSName"] = []string{netbios}
	}
	return e
}

const (
	labBase   = "DC=lab,DC=example"
	childBase = "DC=child,DC=lab,DC=example"
)

// forestEntries is a forest of two domains. Alice of the one and alice of the
// other are different people; bob's UPN looks like an implicit one of alice's.
func forestEntries() []fakeEntry {
	return []fakeEntry{
		{"", map[string][]string{"defaultNamingContext": {labBase}, "configurationNamingContext": {"CN=Configuration," + labBase}}},
		crossRef("CN=Schema,CN=Configuration,DC=lab,DC=example", "", "lab.example"),
		crossRef(labBase, "LAB", "lab.example"),
		crossRef(childBase, "KID", "child.lab.example"),
		person(labBase, "alice", "alice.smith@corp.example", sidAlice, sidUsers, sidTeam),
		person(childBase, "alice", "alice@child.lab.example", sidChildAlice, "S-1-5-21-1-2-4-513"),
		person(labBase, "bob", "robert@lab.example", sidBob, sidUsers),
		person(labBase, "HOST7$", "", sidMachine, "S-1-5-21-1-2-3-515"),
		person(labBase, "müller", "", "S-1-5-21-1-2-3-1108", sidUsers),
		person(labBase, "twin1", "twin@corp.example", "S-1-5-21-1-2-3-1109"),
		person(childBase, "twin2", "TWIN@corp.example", "S-1-5-21-1-2-4-1110"),
	}
}

// config returns how s is asked.
func (s *fakeServer) config() Config {
	c := Config{
		URL: "ldaps://" + s.listener.Addr().String(), RootCAs: s.roots, BindDN: "CN=svc",
		Secret: func() ([]byte, error) { return []byte("secret\n"), nil }, Timeout: 20 * time.Second,
	}
	if !s.ldaps {
		c.URL, c.StartTLS = "ldap://"+s.listener.Addr().String(), true
	}
	return c
}

// open returns a directory that asks s, as a global catalog if that is one.
func (s *fakeServer) open(t testing.TB, change func(*Config)) *Directory {
	t.Helper()
	c := s.config()
	if change != nil {
		change(&c)
	}
	d, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	d.server.catalog = s.catalog // its port is not the well-known one
	t.Cleanup(d.Close)
	return d
}

// ask looks a name up.
func ask(t testing.TB, d *Directory, account string) (Result, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return d.Lookup(ctx, account)
}

// eventually waits until condition holds.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 20 s", what)
		}
	}
}

// goroutines returns the stacks of this package's and the LDAP library's
// goroutines, but for tests and for the caches', which cannot be ended.
func goroutines() []string {
	buf := make([]byte, 4<<20)
	var found []string
	for _, stack := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		ours := strings.Contains(stack, "session/directory.") || strings.Contains(stack, "go-ldap/ldap")
		if ours && !strings.Contains(stack, "directory.Test") && !strings.Contains(stack, "directory.(*fakeServer)") && !strings.Contains(stack, "expirable.NewLRU") {
			found = append(found, stack)
		}
	}
	return found
}
