package secctx_test

import (
	"testing"

	"github.com/jcmturner/gofork/encoding/asn1"
	"github.com/oiweiwei/gokrb5.fork/v9/keytab"
	kmessages "github.com/oiweiwei/gokrb5.fork/v9/messages"
	"github.com/oiweiwei/gokrb5.fork/v9/types"
	"pgregory.net/rapid"

	"github.com/nspiproxy/nspiproxy/internal/testkit/forge"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/krb5"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/ntlm"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/spnego"
)

// Users of these tests, and the key of their domain controller.
const (
	sidOfAlice = "S-1-5-21-1-2-3-1103"
	sidOfBes   = "S-1-5-21-1-2-3-1104"
)

var dcKey = forge.NewKey(1)

// ticketKeys is what a proxy holds: the key of DC1, and of accounts what NTLM needs.
func ticketKeys(t testing.TB, more ...keytab.Entry) *keys {
	t.Helper()
	file := keytab.New()
	file.Entries = append(more, keyEntry(dcKey, "DC1$"))
	b, err := file.Marshal()
	kt, err := krb5.ParseKeytab(must(t, b, err))
	return &keys{service: must(t, kt, err).Service("dc1.lab.test")}
}

func keyEntry(key types.EncryptionKey, name string) keytab.Entry {
	e := keytab.NewEntry()
	e.Principal = keytab.Principal{NumComponents: 1, Realm: forge.Realm, Components: []string{name}, NameType: 1}
	e.KVNO8, e.KVNO, e.Key = 5, 5, key
	return e
}

func clientOf(user, sid string, flags uint32) *forge.Client {
	return &forge.Client{Ticket: forge.NewTicket(dcKey, user, sid), Flags: flags}
}

// wantUser fails the test unless h is sid's; empty: it is of no user that is known.
func wantUser(t testing.TB, h *secctx.Handshake, sid string) {
	t.Helper()
	got := ""
	if id, ok := h.Identity(); ok {
		got = id.SID
	}
	if why, _ := h.Unread(); got != sid {
		t.Errorf("user %q, want %q; unread: %v %s", got, sid, why.Result, why.Detail)
	}
}

// wantUnread fails the test unless h is of a user who could not be read, for this reason.
func wantUnread(t testing.TB, h *secctx.Handshake, want secctx.Result) {
	t.Helper()
	wantUser(t, h, "")
	if why, ok := h.Unread(); why.Result != want || ok != (want != secctx.Pending) {
		t.Errorf("unread: %v %s, want %v", why.Result, why.Detail, want)
	}
}

func resp(state int, token []byte) []byte {
	e := forge.Envelope{State: state}
	if token != nil {
		e.Tokens = [][]byte{token}
	}
	return e.Token()
}

func TestTicketCountsWhenTheServerHasAcceptedIt(t *testing.T) {
	subkey := forge.NewKey(9)
	h := secctx.NewHandshake(ticketKeys(t))
	c := clientOf("alice", sidOfAlice, forge.DCEStyle)
	h.FromClient(c.Request())
	wantUnread(t, h, secctx.Pending)
	answer := c.Answer(&subkey)
	h.FromServer(answer)
	wantUnread(t, h, secctx.Pending) // servers run calls as anonymous until the third leg
	third, _ := c.Third(answer)
	h.FromClient(third)
	wantUser(t, h, sidOfAlice)
	if h.Context() == nil {
		t.Error(h.Outcome())
	}
}

func TestLegsThatEndAHandshakeWithoutDCEStyle(t *testing.T) {
	for name, tc := range map[string]struct {
		client   forge.Client
		envelope bool
		answer   func(c *forge.Client) []byte
		want     string
		unread   secctx.Result
	}{
		"two legs":                        {forge.Client{Flags: forge.Mutual}, false, func(c *forge.Client) []byte { return forge.Frame(c.Answer(nil)) }, sidOfAlice, 0},
		"one leg":                         {forge.Client{Flags: forge.OneLeg}, false, func(*forge.Client) []byte { return nil }, sidOfAlice, 0},
		"no checksum, one leg":            {forge.Client{Checksum: -1}, false, func(*forge.Client) []byte { return nil }, sidOfAlice, 0},
		"plain checksum, two legs":        {forge.Client{Checksum: 16, Options: 0x20}, false, func(c *forge.Client) []byte { return c.Answer(nil) }, sidOfAlice, 0},
		"one leg in SPNEGO":               {forge.Client{Flags: forge.OneLeg}, true, func(*forge.Client) []byte { return resp(0, nil) }, sidOfAlice, 0},
		"one leg, not over":               {forge.Client{Flags: forge.OneLeg}, true, func(*forge.Client) []byte { return resp(1, nil) }, "", 0},
		"one leg, another one asked":      {forge.Client{Flags: forge.OneLeg}, true, func(*forge.Client) []byte { return resp(3, nil) }, "", 0},
		"one leg, refused":                {forge.Client{Flags: forge.OneLeg}, true, func(*forge.Client) []byte { return resp(2, nil) }, "", 0},
		"one leg, no answer":              {forge.Client{Flags: forge.OneLeg}, true, func(*forge.Client) []byte { return nil }, "", 0},
		"two legs, one of them missing":   {forge.Client{Flags: forge.Mutual}, false, func(*forge.Client) []byte { return nil }, "", secctx.Unproven},
		"three legs, two of them missing": {forge.Client{Flags: forge.DCEStyle}, true, func(*forge.Client) []byte { return resp(0, nil) }, "", secctx.Unproven},
	} {
		t.Run(name, func(t *testing.T) {
			h := secctx.NewHandshake(ticketKeys(t))
			c := tc.client
			c.Ticket = forge.NewTicket(dcKey, "alice", sidOfAlice)
			request := c.Request()
			if tc.envelope {
				request = forge.Envelope{Init: true, Mechs: []spnego.OID{spnego.OIDKerberos}, Tokens: [][]byte{request}}.Token()
			}
			h.FromClient(request)
			wantUser(t, h, "")
			h.FromServer(tc.answer(&c))
			if wantUser(t, h, tc.want); tc.want == "" {
				wantUnread(t, h, tc.unread)
			}
		})
	}
}

// An old ticket of another user comes first, as the token of a mechanism that the server does not know, and the client's own
// in a form that is not read here.
func TestTicketThatTheServerDidNotReadNamesNobody(t *testing.T) {
	unknown := spnego.OID("\x2b\x06\x01\x04\x01\x81\x37\x5e\x7f")
	stolen := clientOf("besadmin", sidOfBes, forge.DCEStyle)
	own := clientOf("alice", sidOfAlice, forge.DCEStyle)
	optimistic := forge.Envelope{Init: true, Mechs: []spnego.OID{unknown, spnego.OIDKerberos}, Tokens: [][]byte{stolen.Request()}}.Token()
	h := secctx.NewHandshake(ticketKeys(t))
	h.FromClient(optimistic)
	h.FromServer(resp(3, nil))
	own.Request()
	h.FromClient([]byte{0xa1, 0x80, 0x30, 2, 0, 0}) // alice's, hidden
	wantUnread(t, h, secctx.Malformed)
	answer := own.Answer(nil)
	h.FromServer(resp(1, answer))
	third, _ := own.Third(answer)
	h.FromClient(resp(-1, third))
	h.FromServer(resp(0, nil))
	wantUnread(t, h, secctx.Malformed)

	// Where it can be read, it is alice's.
	h = secctx.NewHandshake(ticketKeys(t))
	h.FromClient(optimistic)
	h.FromServer(resp(3, nil))
	h.FromClient(forge.Envelope{State: -1, Tokens: [][]byte{own.Request()}, Octets: 4, Reversed: true}.Token())
	answer = own.Answer(nil)
	h.FromServer(resp(1, answer))
	third, _ = own.Third(answer)
	h.FromClient(resp(-1, third))
	wantUser(t, h, sidOfAlice)
}

// Its owner can sign whatever he likes with it.
func TestKeyOfAnAccountOpensNoTicket(t *testing.T) {
	aliceKey := forge.NewKey(0x77)
	c := &forge.Client{Ticket: forge.NewTicket(aliceKey, "besadmin", sidOfBes), Flags: forge.OneLeg}
	h := secctx.NewHandshake(ticketKeys(t, keyEntry(aliceKey, "alice"), keyEntry(aliceKey, "WS1$")))
	h.FromClient(c.Request())
	h.FromServer(nil)
	wantUser(t, h, "")
	if why, _ := h.Unread(); why.Result != secctx.Undecryptable && why.Result != secctx.NoKey && why.Result != secctx.WrongVersion {
		t.Errorf("unread: %v %s", why.Result, why.Detail)
	}
}

func TestWhatIsPresentedAfterATicketReplacesIt(t *testing.T) {
	negotiate := append([]byte("NTLMSSP\x00\x01\x00\x00\x00"), make([]byte, 20)...)
	for name, tc := range map[string]struct {
		next []byte
		want secctx.Result
	}{
		"a ticket without a PAC":      {clientOf("alice", "", forge.OneLeg).Request(), secctx.NoPAC},
		"a ticket that does not open": {(&forge.Client{Ticket: forge.NewTicket(forge.NewKey(2), "alice", sidOfAlice)}).Request(), secctx.Undecryptable},
		"NTLM":                        {negotiate, secctx.Pending},
		"nothing that can be read":    {[]byte("nonsense"), secctx.Malformed},
		"another mechanism":           {forge.Envelope{Init: true, Mechs: []spnego.OID{spnego.OIDNegoEx}, Tokens: [][]byte{[]byte("NEGOEXTS")}}.Token(), secctx.Unsupported},
		"a new offer":                 {forge.Envelope{Init: true, Mechs: []spnego.OID{spnego.OIDKerberos}}.Token(), secctx.Pending},
	} {
		t.Run(name, func(t *testing.T) {
			for legs := range 3 {
				h := secctx.NewHandshake(ticketKeys(t))
				c := clientOf("besadmin", sidOfBes, forge.DCEStyle)
				answer, third := []byte(nil), []byte(nil)
				h.FromClient(c.Request())
				if answer = c.Answer(nil); legs > 0 {
					h.FromServer(answer)
				}
				if third, _ = c.Third(answer); legs > 1 {
					h.FromClient(third)
					wantUser(t, h, sidOfBes)
				}
				h.FromClient(tc.next)
				h.FromServer(nil)
				wantUnread(t, h, tc.want)
			}
		})
	}
}

func TestServerThatRefusesATicketLeavesNobody(t *testing.T) {
	for name, refuse := range map[string]func(*secctx.Handshake){
		"KRB-ERROR": func(h *secctx.Handshake) { h.FromServer(krbError) },
		"reject":    func(h *secctx.Handshake) { h.FromServer(resp(2, nil)) },
		"fault":     func(h *secctx.Handshake) { h.Rejected() },
	} {
		h := secctx.NewHandshake(ticketKeys(t))
		c := clientOf("alice", sidOfAlice, forge.OneLeg)
		h.FromClient(c.Request())
		refuse(h)
		h.FromServer(nil)
		wantUnread(t, h, secctx.Pending)
		h.FromClient(c.Request())
		h.FromServer(nil)
		if wantUser(t, h, sidOfAlice); t.Failed() {
			t.Fatal(name)
		}
	}
}

func TestThirdLegThatIsNotOfThisHandshakeAcceptsNothing(t *testing.T) {
	c, other := clientOf("besadmin", sidOfBes, forge.DCEStyle), clientOf("alice", sidOfAlice, forge.DCEStyle)
	h := secctx.NewHandshake(ticketKeys(t))
	h.FromClient(c.Request())
	h.FromServer(c.Answer(nil))
	other.Request()
	third, _ := other.Third(other.Answer(nil))
	h.FromClient(third)
	wantUnread(t, h, secctx.Unproven)
}

// The PAC of a ticket of several is the first that the key has signed.
func TestOnlySignedPACsCount(t *testing.T) {
	genuine, forged := forge.PAC(dcKey, "alice", sidOfAlice), forge.PAC(forge.NewKey(3), "besadmin", sidOfBes)
	for name, tc := range map[string]struct {
		data types.AuthorizationData
		want string
	}{
		"a forged one in front": {append(forge.Relevant(forged), forge.Relevant(genuine)...), sidOfAlice},
		"a forged one alone":    {forge.Relevant(forged), ""},
		"300 in front":          {append(manyRelevant(300), forge.Relevant(genuine)...), sidOfAlice},
	} {
		c := clientOf("alice", sidOfAlice, forge.OneLeg)
		c.Ticket = c.Ticket.Edited(dcKey, func(p *kmessages.EncTicketPart) { p.AuthorizationData = tc.data })
		h := secctx.NewHandshake(ticketKeys(t))
		h.FromClient(c.Request())
		h.FromServer(nil)
		if wantUser(t, h, tc.want); t.Failed() {
			t.Fatal(name)
		}
	}
}

func manyRelevant(n int) (data types.AuthorizationData) {
	empty, _ := asn1.Marshal(types.AuthorizationData{})
	for range n {
		data = append(data, types.AuthorizationDataEntry{ADType: 1, ADData: empty})
	}
	return data
}

// TestIdentityIsTheOneAcceptedLastOrNone drives handshakes of any shape: legs that can be read or not, that are accepted or
// not, in any order. The model knows what a server made of them.
func TestIdentityIsTheOneAcceptedLastOrNone(t *testing.T) {
	users := []*forge.Client{
		clientOf("alice", sidOfAlice, forge.DCEStyle), clientOf("besadmin", sidOfBes, forge.DCEStyle),
		clientOf("alice", sidOfAlice, forge.OneLeg), clientOf("besadmin", sidOfBes, forge.Mutual),
	}
	known := ticketKeys(t)
	negotiate, err := ntlm.AppendNegotiate(nil, ntlm.Negotiate{Flags: ntlm.FlagUnicode})
	must(t, negotiate, err)
	rapid.Check(t, func(t *rapid.T) {
		h := secctx.NewHandshake(known)
		var presented *forge.Client // that the server would accept
		var answer []byte
		accepted := ""
		for range rapid.IntRange(1, 12).Draw(t, "legs") {
			c := users[rapid.IntRange(0, len(users)-1).Draw(t, "client")]
			switch rapid.IntRange(0, 8).Draw(t, "leg") {
			case 0:
				h.FromClient(c.Request())
				presented, answer, accepted = c, nil, ""
			case 1: // the server answers the ticket that was presented last
				if presented == nil {
					break
				}
				if presented.Flags == forge.OneLeg {
					h.FromServer(nil)
					accepted = sidOf(presented)
					presented = nil
					break
				}
				if answer == nil {
					answer = presented.Answer(nil)
					h.FromServer(answer)
					if presented.Flags == forge.Mutual {
						accepted = sidOf(presented)
						presented, answer = nil, nil
					}
				}
			case 2: // the third leg
				if presented == nil || answer == nil {
					break
				}
				third, _ := presented.Third(answer)
				h.FromClient(third)
				accepted = sidOf(presented)
				presented, answer = nil, nil
			case 3: // a leg that is not read here, and which the server may accept
				h.FromClient([]byte{0xa1, 0x85, 0})
				presented, answer, accepted = nil, nil, ""
			case 4:
				h.FromServer(krbError)
				presented, answer, accepted = nil, nil, ""
			case 5:
				h.FromClient(negotiate)
				h.FromServer(nil)
				presented, answer, accepted = nil, nil, ""
			case 6: // an answer to somebody else's ticket
				if presented == nil || answer != nil || presented.Flags == forge.OneLeg {
					break
				}
				stranger := clientOf("carol", sidOfAlice+"9", forge.DCEStyle)
				stranger.Request()
				h.FromServer(stranger.Answer(nil))
				presented, answer, accepted = nil, nil, ""
			case 7:
				h.Rejected()
				presented, answer, accepted = nil, nil, ""
			case 8: // an offer of SPNEGO without a token
				h.FromClient(forge.Envelope{Init: true, Mechs: []spnego.OID{spnego.OIDKerberos}}.Token())
				presented, answer, accepted = nil, nil, ""
			}
			got := ""
			if id, ok := h.Identity(); ok {
				got = id.SID
			}
			if got != accepted {
				why, _ := h.Unread()
				t.Fatalf("identity %q, the server has accepted %q; unread: %v %s", got, accepted, why.Result, why.Detail)
			}
		}
	})
}

func sidOf(c *forge.Client) string {
	if c.Ticket.Client.NameString[0] == "alice" {
		return sidOfAlice
	}
	return sidOfBes
}
