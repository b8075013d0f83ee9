package inspect

import (
	"errors"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/forge"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/session"
)

// Somebody behind the same address joins an association and does not log on.
func TestStrangerInAnAssociationIsEndedWhenItsUsersHaveLeft(t *testing.T) {
	s := newSite(t)
	sec := alice(t, rpcparse.LevelConnect)
	owner := s.connect()
	group := owner.bound(sec)
	owner.granted(nspiBind(2, sec), handle(1))
	stranger := s.connect()
	stranger.joined(group, group, nil)
	owner.close()
	s.wantSlots(1, 0, 0, 0)
	s.pass(session.StrangerTime)
	if !errors.Is(stranger.ended, errStranger) {
		t.Fatalf("the stranger goes on: %v", stranger.ended)
	}
	stranger.close()
	s.wantSlots(0, 0, 0, 0)
}

func TestSecondConnectionOfAUserKeepsTheSessions(t *testing.T) {
	s := newSite(t)
	sec, again := alice(t, rpcparse.LevelConnect), alice(t, rpcparse.LevelConnect)
	owner := s.connect()
	group := owner.bound(sec)
	owner.granted(nspiBind(2, sec), handle(1))
	second := s.connect()
	second.joined(group, group, again)
	again.dummy = true
	second.exchanged(rpc{id: 5, ctx: ctxOther, sec: again}, make([]byte, 16), make([]byte, 16))
	owner.close()
	s.pass(2 * session.StrangerTime)
	if second.ended != nil {
		t.Fatalf("it was ended: %v", second.ended)
	}
	s.wantSlots(1, 0, 0, 0)
}

// A second connection whose ticket no key opens is a user's, because a keytab may be out of date; one whose token is nonsense is
// a stranger's.
func TestConnectionWithATicketOfANewKeyKeepsTheSessions(t *testing.T) {
	for name, tc := range map[string]struct {
		token []byte
		ended bool
	}{
		"a key that is not known": {(&forge.Client{Ticket: forge.NewTicket(forge.NewKey(2), "alice", aliceSID), Flags: forge.OneLeg}).Request(), false},
		"no ticket":               {[]byte("\x6e\x02ab"), true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.deps.Keys = dcKeys(t)
			owner := s.connect()
			owner.leg(rpcparse.PTypeBind, 1, ticketOfUser("alice", aliceSID, forge.OneLeg).Request(), nil)
			if !owner.opened(2, handle(1)) || s.heldBy(aliceSID) != 1 {
				t.Fatalf("%+v", s.table.Users())
			}
			group := 0x1000 + s.groups
			second := s.connect()
			second.client(bindPDU(t, rpcparse.PTypeBind, 1, group, &rpcparse.Verifier{
				Type: rpcparse.AuthKerberos, Level: rpcparse.LevelConnect, ContextID: 7, Token: tc.token,
			}))
			second.server(ackPDU(t, rpcparse.PTypeBindAck, 1, group, nil))
			second.atServer()
			second.atClient()
			second.opened(5, handle(2))
			owner.close()
			s.pass(2 * session.StrangerTime)
			if got := errors.Is(second.ended, errStranger); got != tc.ended {
				t.Errorf("ended: %v, want %t", second.ended, tc.ended)
			}
		})
	}
}
