//go:build lab

package identity

import (
	"os"
	"slices"
	"testing"

	"github.com/oiweiwei/gokrb5.fork/v9/config"
	"github.com/oiweiwei/gokrb5.fork/v9/keytab"
	"github.com/oiweiwei/gokrb5.fork/v9/types"

	"github.com/nspiproxy/nspiproxy/internal/testkit/forge"
	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
	"github.com/nspiproxy/nspiproxy/proxy/client/kerberos"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/spnego"
)

const nspiService = "exchangeAB/" + lab.SambaHost

// kit is what the handshakes of a test are made of: tickets of a real KDC, and the domain controller's key for those that
// no KDC would make.
type kit struct {
	t        testing.TB
	dc       types.EncryptionKey
	aliceRC4 types.EncryptionKey // which is her NT hash
	kdc      *config.Config
	tickets  map[string]*forge.Ticket
	sids     map[string]string
}

func newKit(t testing.TB, samba *lab.Samba) *kit {
	t.Helper()
	k := &kit{
		t: t, dc: keyIn(t, samba.MachineKeytab(), "DC1$", 18), aliceRC4: keyIn(t, samba.UserKeytab(lab.Alice), lab.Alice.Name, 23),
		tickets: map[string]*forge.Ticket{}, sids: map[string]string{},
	}
	conf, err := config.Load(samba.File("krb5.conf"))
	if err != nil {
		t.Fatal(err)
	}
	k.kdc = conf
	for _, u := range []lab.User{lab.Alice, lab.Bob} {
		k.tickets[u.Name] = k.ticket(u, nspiService)
		k.sids[samba.SID(t, u.Name)] = u.Name
	}
	return k
}

// ticket gets a user's ticket for a service from the KDC.
func (k *kit) ticket(u lab.User, service string) *forge.Ticket {
	k.t.Helper()
	t, err := k.fetch(u.Name, u.Password, service)
	if err != nil {
		k.t.Fatal(err)
	}
	return t
}

// fetch asks the KDC for a ticket, under any name that it takes for an account's.
func (k *kit) fetch(name, password, service string) (*forge.Ticket, error) {
	c := kerberos.Client{Config: k.kdc, Realm: lab.SambaRealm, Name: name, Password: password}
	got, err := c.Ticket(k.t.Context(), service)
	if err != nil {
		return nil, err
	}
	return &forge.Ticket{
		Ticket: got.Ticket, Client: got.Client, Realm: got.Realm,
		Session: types.EncryptionKey{KeyType: got.Session.Etype, KeyValue: got.Session.Value},
	}, nil
}

// keyIn returns the newest key of that type in a keytab.
func keyIn(t testing.TB, file, principal string, etype int32) types.EncryptionKey {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	kt := keytab.New()
	if err := kt.Unmarshal(data); err != nil {
		t.Fatal(err)
	}
	key, _, err := kt.GetEncryptionKey(types.NewPrincipalName(1, principal), lab.SambaRealm, 0, etype)
	if err != nil {
		t.Fatalf("%s: %v", principal, err)
	}
	return key
}

// alice and bob are clients with a ticket of their own.
func (k *kit) alice(flags uint32) *forge.Client {
	return &forge.Client{Ticket: k.tickets[lab.Alice.Name], Flags: flags}
}

func (k *kit) bob(flags uint32) *forge.Client {
	return &forge.Client{Ticket: k.tickets[lab.Bob.Name], Flags: flags}
}

// envelope says how the tokens of a handshake are sent.
type envelope struct {
	name  string
	auth  rpcparse.AuthType
	first func(request []byte) []byte
	later func(message []byte) []byte
}

func bare(token []byte) []byte { return token }

// negotiated is SPNEGO in forms of its sender's choice.
func negotiated(name string, first, later forge.Envelope) envelope {
	first.Init, later.State = true, -1
	if first.Mechs == nil {
		first.Mechs = []spnego.OID{spnego.OIDKerberos, spnego.OIDNTLM}
	}
	put := func(e forge.Envelope) func([]byte) []byte {
		return func(token []byte) []byte {
			e := e
			e.Tokens = append(slices.Clone(e.Tokens), token)
			return e.Token()
		}
	}
	return envelope{name, rpcparse.AuthSPNEGO, put(first), put(later)}
}

var (
	raw    = envelope{"raw", rpcparse.AuthKerberos, bare, bare}
	framed = envelope{"framed", rpcparse.AuthKerberos, forge.Frame, bare}
	simple = negotiated("SPNEGO", forge.Envelope{}, forge.Envelope{})
)

// message is the Kerberos message in an answer, or nil.
func message(answer []byte) []byte {
	_, inner, _ := spnego.Unwrap(answer)
	return inner
}

// finish goes on with the server's answer to the request of c, and opens a session.
func (e envelope) finish(x *lab.Exchange, c *forge.Client, answer []byte) string {
	if third, ok := c.Third(message(answer)); ok && c.Flags&forge.FlagDCE != 0 && c.Checksum == 0 {
		if _, ok, why := x.Leg(e.later(third)); !ok {
			return why
		}
	}
	return x.NspiBind()
}

// run makes a whole handshake as its client would.
func (e envelope) run(x *lab.Exchange, c *forge.Client) string {
	answer, ok, why := x.Leg(e.first(c.Request()))
	if !ok {
		return why
	}
	return e.finish(x, c, answer)
}
