package inspect

import (
	"testing"

	"github.com/oiweiwei/gokrb5.fork/v9/keytab"

	"github.com/nspiproxy/nspiproxy/internal/testkit/forge"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/krb5"
	"github.com/nspiproxy/nspiproxy/session"
)

// dcKeys are the key of the domain controller.
func dcKeys(t testing.TB) KeySource {
	e := keytab.NewEntry()
	e.Principal = keytab.Principal{NumComponents: 1, Realm: forge.Realm, Components: []string{"DC1$"}, NameType: 1}
	e.KVNO8, e.KVNO, e.Key = 5, 5, forge.NewKey(1)
	file := keytab.New()
	file.Entries = []keytab.Entry{e}
	b, err := file.Marshal()
	kt, err2 := krb5.ParseKeytab(must(t, b, err))
	if err2 != nil {
		t.Fatal(err2)
	}
	return keyring{ticketKeys{service: kt.Service("dc1.lab.test")}}
}

const besSID = "S-1-5-21-1-2-3-1199"

func ticketOfUser(user, sid string, flags uint32) *forge.Client {
	return &forge.Client{Ticket: forge.NewTicket(forge.NewKey(1), user, sid), Flags: flags}
}

// leg sends a token of Kerberos in a bind or alter_context, and the server's answer.
func (d *driver) leg(ptype rpcparse.PType, call uint32, token, answer []byte) {
	t := d.site.t
	t.Helper()
	of := func(token []byte) *rpcparse.Verifier {
		if token == nil {
			return nil
		}
		return &rpcparse.Verifier{Type: rpcparse.AuthKerberos, Level: rpcparse.LevelConnect, ContextID: 7, Token: token}
	}
	answers, group := rpcparse.PTypeAlterContextResp, uint32(0)
	if ptype == rpcparse.PTypeBind {
		d.site.groups++
		answers, group = rpcparse.PTypeBindAck, 0x1000+d.site.groups
	}
	d.client(bindPDU(t, ptype, call, 0, of(token)))
	d.server(ackPDU(t, answers, call, group, of(answer)))
	d.atServer()
	d.atClient()
}

// opened makes a session without a verifier, which the server grants if it gets it.
func (d *driver) opened(call uint32, h nspi.Handle) bool {
	r := nspiBind(call, nil)
	d.client(r.request(d.site.t, r.bindStub()))
	if len(d.atServer()) == 0 {
		d.atClient()
		return false
	}
	d.server(r.response(d.site.t, r.grantedStub(h)))
	d.atClient()
	return true
}

// heldBy returns how many sessions a SID, or everybody of an assurance, has.
func (s *site) heldBy(sid string) (n int) {
	for _, u := range s.table.Users() {
		if u.User.SID == sid {
			n += u.Held
		}
	}
	return n
}

func (s *site) heldAs(a session.Assurance) (n int) {
	for _, u := range s.table.Users() {
		if u.User.Assurance == a {
			n += u.Held
		}
	}
	return n
}

// A domain controller runs calls before the third leg as anonymous ones.
func TestReplayedTicketWithoutItsLastLegTakesNothingFromItsOwner(t *testing.T) {
	s := newSite(t, limit(2))
	s.deps.Keys = dcKeys(t)
	bes := ticketOfUser("besadmin", besSID, forge.DCEStyle)
	seen := bes.Request()
	for n := range 2 {
		d := s.connect(from("10.66.0.1"))
		d.leg(rpcparse.PTypeBind, 1, seen, bes.Answer(nil))
		if !d.opened(2, handle(byte(n+1))) {
			t.Fatal("not forwarded")
		}
	}
	if s.heldBy(besSID) != 0 || s.heldAs(session.AssuranceAddress) != 2 {
		t.Errorf("%+v", s.table.Users())
	}
	d := s.connect(from("10.1.0.1"))
	answer := bes.Answer(nil)
	d.leg(rpcparse.PTypeBind, 1, seen, answer)
	third, _ := bes.Third(answer)
	d.leg(rpcparse.PTypeAlterContext, 2, third, nil)
	for n := range 3 {
		if granted := d.opened(uint32(n+3), handle(byte(n+10))); granted != (n < 2) {
			t.Errorf("besadmin's own bind %d: granted %t", n, granted)
		}
	}
	if s.heldBy(besSID) != 2 {
		t.Errorf("%+v", s.table.Users())
	}
}

// The last leg may come behind a call that was run as anonymous.
func TestLastLegBehindAnAnonymousCallIsFollowed(t *testing.T) {
	s := newSite(t)
	s.deps.Keys = dcKeys(t)
	bes := ticketOfUser("besadmin", besSID, forge.DCEStyle)
	d := s.connect()
	request := bes.Request()
	answer := bes.Answer(nil)
	d.leg(rpcparse.PTypeBind, 1, request, answer)
	d.opened(2, handle(1))
	third, _ := bes.Third(answer)
	d.leg(rpcparse.PTypeAlterContext, 3, third, nil)
	d.opened(4, handle(2))
	if s.heldBy(besSID) != 1 || s.heldAs(session.AssuranceAddress) != 1 {
		t.Errorf("%+v", s.table.Users())
	}
}

func TestTicketsOfEveryFormAreCountedBySID(t *testing.T) {
	for name, tc := range map[string]struct {
		client *forge.Client
		answer func(*forge.Client) []byte
	}{
		"two legs":       {ticketOfUser("besadmin", besSID, forge.Mutual), func(c *forge.Client) []byte { return forge.Frame(c.Answer(nil)) }},
		"one leg":        {ticketOfUser("besadmin", besSID, forge.OneLeg), func(*forge.Client) []byte { return nil }},
		"plain checksum": {&forge.Client{Ticket: forge.NewTicket(forge.NewKey(1), "besadmin", besSID), Checksum: 16, Options: 0x20}, func(c *forge.Client) []byte { return c.Answer(nil) }},
	} {
		s := newSite(t, limit(1))
		s.deps.Keys = dcKeys(t)
		d := s.connect()
		request := tc.client.Request()
		d.leg(rpcparse.PTypeBind, 1, request, tc.answer(tc.client))
		first, second := d.opened(2, handle(1)), d.opened(3, handle(2))
		if !first || second || s.heldBy(besSID) != 1 {
			t.Errorf("%s: granted %t, %t; %+v", name, first, second, s.table.Users())
		}
	}
}

// A leg behind the AP-REP that ends an exchange of two changes nothing for a domain controller that keeps the context.
func TestLegBehindTheLastOneLeavesTheUser(t *testing.T) {
	s := newSite(t)
	s.deps.Keys = dcKeys(t)
	bes := ticketOfUser("besadmin", besSID, forge.Mutual)
	d := s.connect()
	request := bes.Request()
	d.leg(rpcparse.PTypeBind, 1, request, bes.Answer(nil))
	v := rpcparse.Verifier{Type: rpcparse.AuthKerberos, Level: rpcparse.LevelConnect, ContextID: 7, Token: []byte{0xa1, 0x85, 0}}
	d.client(bindPDU(t, rpcparse.PTypeAlterContext, 2, 0, &v)).server(rpc{id: 2}.fault(t, rpcparse.StatusAccessDenied))
	d.atServer()
	d.atClient()
	if !d.opened(3, handle(1)) || s.heldBy(besSID) != 1 {
		t.Errorf("%+v; closed: %v", s.table.Users(), d.err)
	}
}
