package inspect

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/session"
)

// at lets a connection lead to another endpoint of dc1.
func at(server string) func(*fakeConn, *Options) {
	return func(_ *fakeConn, o *Options) { o.Endpoint = netip.MustParseAddrPort(server) }
}

func TestAssociationIsJoinedByItsOwnClientOnly(t *testing.T) {
	const unknown = 0x9999
	for name, tc := range map[string]struct {
		change func(*fakeConn, *Options)
		ask    uint32 // 0: the association of the other connection
		want   error  // nil: it is joined
	}{
		"own":                                 {},
		"own, at another endpoint of dc1":     {change: at("10.0.5.11:49999")},
		"another client's":                    {change: from("10.1.2.4"), want: session.ErrForeignAssociation},
		"another client's, another endpoint":  {change: func(c *fakeConn, o *Options) { from("10.1.2.4")(c, o); at("10.0.5.11:49999")(c, o) }, want: session.ErrForeignAssociation},
		"unknown":                             {ask: unknown, want: session.ErrUnknownAssociation},
		"of another domain controller":        {change: func(_ *fakeConn, o *Options) { o.Backend = "dc2" }, want: session.ErrUnknownAssociation},
		"another client's, unknown id":        {change: from("10.1.2.4"), ask: unknown, want: session.ErrUnknownAssociation},
		"own, IPv4 address written as IPv6":   {change: from("[::ffff:10.1.2.3]")},
		"own, seen under another client port": {change: from("10.1.2.3")},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			owner := s.connect()
			group := owner.bound(nil)
			owner.granted(nspiBind(2, nil), handle(1))
			d := s.connect()
			if tc.change != nil {
				d = s.connect(tc.change)
			}
			ask := group
			if tc.ask != 0 {
				ask = tc.ask
			}
			if tc.want == nil {
				d.joined(ask, ask, nil)
				owner.close()
				s.wantSlots(1, 0, 0, 0)
				d.unbound(rpc{id: 2}, handle(1))
				s.wantSlots(0, 0, 0, 0)
				return
			}
			d.client(bindPDU(t, rpcparse.PTypeBind, 5, ask, nil))
			d.wantAtServer()
			got := d.atClient()
			if len(got) != 1 {
				t.Fatalf("the client has %d PDUs", len(got))
			}
			nak, err := rpcparse.ParseBindNak(got[0])
			if err != nil || nak.CallID != 5 || nak.Reason != rpcparse.NakNotSpecified {
				t.Errorf("the answer is %+v, %v", nak, err)
			}
			if all := eventsOf[AssociationRefused](s.events); len(all) != 1 || all[0].ID != ask || !errors.Is(all[0].Err, tc.want) {
				t.Errorf("reported %+v, want %v", all, tc.want)
			}
			d.wantOpen()
			d.bound(nil) // a client goes on with a new association
			owner.close()
			s.wantSlots(0, 0, 0, 0)
		})
	}
}

// TestClientThatNamesAssociationsOfOthersAgainAndAgainIsClosed: it costs a record each time.
func TestClientThatNamesAssociationsOfOthersAgainAndAgainIsClosed(t *testing.T) {
	s := newSite(t)
	d := s.connect()
	for n := range maxMisjoined {
		d.client(bindPDU(t, rpcparse.PTypeBind, uint32(n+1), 0x9999, nil))
		d.wantOpen()
	}
	if len(eventsOf[Violation](s.events)) != 0 {
		t.Errorf("%d binds are a violation", maxMisjoined)
	}
	d.client(bindPDU(t, rpcparse.PTypeBind, 99, 0x9999, nil))
	d.wantAtServer()
	if all := eventsOf[Violation](s.events); d.err == nil || len(all) != 1 || rpcparse.ClassOf(all[0].Err) != rpcparse.ClassLimit {
		t.Errorf("closed: %v; %+v", d.err, all)
	}
	s.wantSlots(0, 0, 0, 0)
}

// TestClientThatIsRefusedAgainAndAgainIsNotClosed: an NspiBind above the limit breaks no rule.
func TestClientThatIsRefusedAgainAndAgainIsNotClosed(t *testing.T) {
	s := newSite(t, limit(0))
	d := s.connect()
	d.bound(nil)
	for n := range 20 * maxMisjoined {
		d.refused(nspiBind(uint32(n+2), nil))
	}
	d.wantOpen()
	d.wantAtServer()
}

func TestSessionsLiveAsLongAsAConnectionOfTheirAssociation(t *testing.T) {
	s := newSite(t)
	one := s.connect()
	group := one.bound(nil)
	one.granted(nspiBind(2, nil), handle(1))
	two, three := s.connect(), s.connect()
	two.joined(group, group, nil)
	three.joined(group, group, nil)
	one.close()
	s.wantSlots(1, 0, 0, 0)
	two.unbound(rpc{id: 2}, handle(1))
	s.wantSlots(0, 0, 0, 0)
	three.granted(nspiBind(2, nil), handle(2))
	two.close()
	s.wantSlots(1, 0, 0, 0)
	three.close()
	s.wantSlots(0, 0, 0, 0)
}

// The join came first on the domain controller, too.
func TestAssociationLivesWhileAJoinOfItIsUnderWay(t *testing.T) {
	s := newSite(t)
	one := s.connect()
	group := one.bound(nil)
	one.granted(nspiBind(2, nil), handle(1))
	two := s.connect()
	two.client(bindPDU(t, rpcparse.PTypeBind, 1, group, nil))
	one.close()
	s.wantSlots(1, 0, 0, 0)
	nak, err := appendBindNak(nil, 1, rpcparse.NakLocalLimitExceeded)
	two.server(must(t, nak, err))
	s.wantSlots(0, 0, 0, 0)
	two.atServer()
	two.wantAtClient(nak)
	two.bound(nil) // a client binds again on the same connection
}

func TestServerThatGivesAForeignAssociationEndsTheConnection(t *testing.T) {
	s := newSite(t)
	owner := s.connect()
	group := owner.bound(nil)
	d := s.connect(from("10.1.2.4"))
	d.client(bindPDU(t, rpcparse.PTypeBind, 1, 0, nil))
	owner.granted(nspiBind(2, nil), handle(1))
	d.server(ackPDU(t, rpcparse.PTypeBindAck, 1, group, nil))
	if d.closed { // an association of that id is new: the server has forgotten the old one
		t.Errorf("closed: %v", d.err)
	}
	s.wantSlots(0, 0, 0, 0)

	third := s.connect(from("10.1.2.5"))
	third.client(bindPDU(t, rpcparse.PTypeBind, 1, 0, nil))
	third.server(ackPDU(t, rpcparse.PTypeBindAck, 1, 0x2001, nil))
	third.server(ackPDU(t, rpcparse.PTypeAlterContextResp, 9, 0x2001, nil))
	if !third.closed || len(eventsOf[Violation](s.events)) != 1 {
		t.Error("an answer to no bind does not end the connection")
	}
}

// The server puts a client into an association of another one.
func TestBindAckThatNamesAnotherClientsAssociationEndsTheConnection(t *testing.T) {
	s := newSite(t)
	owner := s.connect()
	foreign := owner.bound(nil)
	owner.granted(nspiBind(2, nil), handle(1))
	mine := s.connect(from("10.1.2.4"))
	group := mine.bound(nil)
	d := s.connect(from("10.1.2.4"))
	d.client(bindPDU(t, rpcparse.PTypeBind, 1, group, nil))
	d.server(ackPDU(t, rpcparse.PTypeBindAck, 1, foreign, nil))
	d.wantAtClient()
	if all := eventsOf[Violation](s.events); !d.closed || len(all) != 1 || !errors.Is(all[0].Err, session.ErrForeignAssociation) {
		t.Errorf("closed: %v; reported %+v", d.err, all)
	}
	s.wantSlots(1, 0, 0, 0)
}

func TestAgreedFragmentSizesAreTold(t *testing.T) {
	s := newSite(t)
	d := s.connect()
	if d.handshakeDone {
		t.Error("the handshake is over before it began")
	}
	d.bound(nil)
	if !d.handshakeDone || d.maxFragment != [2]int{4280, 5840} {
		t.Errorf("the handshake is over: %t, fragments %v", d.handshakeDone, d.maxFragment)
	}
}

// pool lets a connection lead to one of several domain controllers behind one
// address.
func pool(names *GroupNames, dc string) func(*fakeConn, *Options) {
	return func(c *fakeConn, o *Options) { o.Groups, o.Server, o.Backend, o.Shown = names, dc, dc, dc }
}

// handshakePDUs feeds a bind and its answer, and returns both as they arrive.
func (d *driver) handshakePDUs(ask, given uint32) (bind, ack []byte) {
	t := d.site.t
	t.Helper()
	d.client(bindPDU(t, rpcparse.PTypeBind, 1, ask, nil))
	if got := d.atServer(); len(got) == 1 {
		bind = got[0]
	}
	d.server(ackPDU(t, rpcparse.PTypeBindAck, 1, given, nil))
	if got := d.atClient(); len(got) == 1 {
		ack = got[0]
	}
	if bind == nil || ack == nil {
		t.Fatalf("the handshake does not pass; closed: %v", d.err)
	}
	return bind, ack
}

func groupOf(pdu []byte) uint32 { return rpcparse.LittleEndian.Uint32(pdu[groupOffset:]) }

// Two domain controllers give the same id to two associations of one client.
func TestAssociationsOfAPoolHaveOneNameEach(t *testing.T) {
	s := newSite(t)
	names := NewGroupNames()
	one, two := s.connect(pool(names, "dc1")), s.connect(pool(names, "dc2"))
	bind, ack := one.handshakePDUs(0, 1)
	if groupOf(bind) != 0 || groupOf(ack) != 1 {
		t.Errorf("the first association: asked for %d, named %d", groupOf(bind), groupOf(ack))
	}
	_, ack = two.handshakePDUs(0, 1)
	name := groupOf(ack)
	if name == 1 || name == 0 {
		t.Errorf("the second association is named %d", name)
	}
	one.granted(nspiBind(2, nil), handle(1))
	two.granted(nspiBind(2, nil), handle(1))

	joining := s.connect(pool(names, "dc2"))
	bind, ack = joining.handshakePDUs(name, 1)
	if groupOf(bind) != 1 || groupOf(ack) != name {
		t.Errorf("joining %d: the server is asked for %d, the client gets %d", name, groupOf(bind), groupOf(ack))
	}
	two.close()
	s.wantSlots(2, 0, 0, 0)

	alter := bindPDU(t, rpcparse.PTypeAlterContext, 3, name, nil)
	joining.client(alter)
	if got := joining.atServer(); len(got) != 1 || groupOf(got[0]) != 1 {
		t.Errorf("alter_context arrives as %x", got)
	}
	joining.server(ackPDU(t, rpcparse.PTypeAlterContextResp, 3, 1, nil))
	if got := joining.atClient(); len(got) != 1 || groupOf(got[0]) != name {
		t.Errorf("alter_context_resp arrives as %x", got)
	}
	joining.close()
	if names.Where(name) != nil || names.Where(1) != "dc1" {
		t.Errorf("%d is on %v, 1 on %v", name, names.Where(name), names.Where(1))
	}
	s.wantSlots(1, 0, 0, 0)
}

func TestAssociationOfAPoolIsNotJoinedWhereItIsNot(t *testing.T) {
	for name, change := range map[string]func(*fakeConn, *Options){
		"another domain controller": nil,
		"another client":            from("10.1.2.4"),
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			names := NewGroupNames()
			owner := s.connect(pool(names, "dc1"))
			owner.handshakePDUs(0, 1)
			dc := "dc2"
			if change != nil {
				dc = "dc1"
			}
			d := s.connect(func(c *fakeConn, o *Options) {
				pool(names, dc)(c, o)
				if change != nil {
					change(c, o)
				}
			})
			d.client(bindPDU(t, rpcparse.PTypeBind, 1, 1, nil))
			d.wantAtServer()
			if got := d.atClient(); len(got) != 1 || got[0][2] != byte(rpcparse.PTypeBindNak) {
				t.Errorf("the client has %x", got)
			}
			if len(eventsOf[AssociationRefused](s.events)) != 1 {
				t.Error("not reported")
			}
			owner.close()
			d.close()
			if names.Where(1) != nil {
				t.Error("the name outlives its connections")
			}
		})
	}
}

// The name of an association on one domain controller may be the id of another one
// on the other, which the same client has.
func TestNameIsNotTakenForAnIDOfAnotherDomainController(t *testing.T) {
	s := newSite(t)
	names := NewGroupNames()
	one, two := s.connect(pool(names, "dc1")), s.connect(pool(names, "dc2"))
	one.handshakePDUs(0, 1)
	_, ack := two.handshakePDUs(0, 1)
	name := groupOf(ack)
	s.connect(pool(names, "dc1")).handshakePDUs(0, name)
	d := s.connect(pool(names, "dc1"))
	d.client(bindPDU(t, rpcparse.PTypeBind, 1, name, nil))
	d.wantAtServer()
	if len(d.atClient()) != 1 || len(eventsOf[AssociationRefused](s.events)) != 1 {
		t.Error("the bind is not refused")
	}
}

// A second bind is refused by every server, and changes nothing until then.
func TestSecondBindLeavesTheNameOfTheAssociation(t *testing.T) {
	s := newSite(t)
	names := NewGroupNames()
	d := s.connect(pool(names, "dc1"))
	d.handshakePDUs(0, 1)
	d.client(bindPDU(t, rpcparse.PTypeBind, 5, 0, nil))
	if names.Where(1) != "dc1" {
		t.Error("the name has ended")
	}
	s.connect(pool(names, "dc1")).handshakePDUs(1, 1)
}

func TestNameOfAnAssociationEndsWithARefusedBindOrItsServer(t *testing.T) {
	s := newSite(t)
	names := NewGroupNames()
	owner := s.connect(pool(names, "dc1"))
	owner.handshakePDUs(0, 1)
	joining := s.connect(pool(names, "dc1"))
	joining.client(bindPDU(t, rpcparse.PTypeBind, 1, 1, nil))
	owner.close()
	if names.Where(1) != "dc1" {
		t.Error("the name ends while a join is under way")
	}
	nak, err := appendBindNak(nil, 1, rpcparse.NakNotSpecified)
	joining.server(must(t, nak, err))
	if names.Where(1) != nil {
		t.Error("the name outlives a refused bind")
	}
	other := s.connect(pool(names, "dc1"))
	other.handshakePDUs(0, 1)
	other.inspector.ServerClosed()
	if names.Where(1) != nil {
		t.Error("the name outlives the server's stream")
	}
}

func TestLimitCountsForEachDomainControllerOrForAll(t *testing.T) {
	for _, scope := range []policy.Scope{policy.ScopeBackend, policy.ScopeAll} {
		t.Run(string(scope), func(t *testing.T) {
			s := newSite(t, limit(1), func(c *policy.Config) { c.Policy.Scope = scope })
			one, two := s.connect(), s.connect(func(_ *fakeConn, o *Options) { o.Backend, o.Shown, o.RuleName = "dc2", "dc2", "dc2" })
			one.bound(nil)
			two.bound(nil)
			one.granted(nspiBind(2, nil), handle(1))
			if scope == policy.ScopeAll {
				two.refused(nspiBind(2, nil))
			} else {
				two.granted(nspiBind(2, nil), handle(1))
			}
			for _, e := range eventsOf[LimitExceeded](s.events) {
				if e.Backend != "dc2" {
					t.Errorf("reported %+v", e)
				}
			}
		})
	}
}

// Two endpoints of one domain controller may give the same id to two clients.
func TestEndpointsNumberTheirAssociationsByThemselves(t *testing.T) {
	s := newSite(t)
	one, other := s.connect(), s.connect(from("10.1.2.4"), at("10.0.5.11:49999"))
	group := one.bound(nil)
	one.granted(nspiBind(2, nil), handle(1))
	other.joined(0, group, nil)
	other.granted(nspiBind(2, nil), handle(1))
	s.wantSlots(2, 0, 0, 0)
	one.close()
	s.wantSlots(1, 0, 0, 0)
	for _, held := range s.table.Snapshot() {
		if held.Endpoint != "10.0.5.11:49999" || held.GroupID != group {
			t.Errorf("left: %+v", held)
		}
	}
}
