package inspect

import (
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/session"
)

// A domain controller does not know a handle under another user or level than it was made under.
func TestHandleThatIsUnknownToAnotherUserIsStillCounted(t *testing.T) {
	s := newSite(t, limit(5))
	mine, other := alice(t, rpcparse.LevelConnect), asUser(t, "bob", rpcparse.LevelConnect)
	mine.dummy, other.dummy = true, true
	other.id = 9
	d := s.connect()
	d.bound(mine)
	d.altered(other)
	d.granted(nspiBind(2, mine), handle(1))
	unbind := func(id uint32, sec *secured) rpc { return rpc{id: id, opnum: nspi.OpnumUnbind, sec: sec} }
	for n, answer := range []func(rpc) []byte{
		func(r rpc) []byte { return r.fault(t, rpcparse.StatusContextMismatch) },
		func(r rpc) []byte { return r.response(t, r.unboundStub(nspi.UnbindFailure)) },
	} {
		call := unbind(uint32(3+n), other)
		d.client(call.request(t, call.unbindStub(handle(1))))
		d.server(answer(call))
	}
	s.wantSlots(1, 0, 0, 0)
	call := unbind(5, mine)
	d.client(call.request(t, call.unbindStub(handle(1))))
	d.server(call.fault(t, rpcparse.StatusContextMismatch))
	s.wantSlots(0, 0, 0, 0)
}

// Two contexts and a request that names none: it is one user's, if they are of one.
func TestRequestForOneOfSeveralContextsIsForwarded(t *testing.T) {
	for name, tc := range map[string]struct {
		second    string
		assurance session.Assurance
	}{
		"of one user":  {"ALICE", session.AssuranceClaimed},
		"of two users": {"bob", session.AssuranceUnreadable},
	} {
		s := newSite(t)
		first, second := alice(t, rpcparse.LevelConnect), asUser(t, tc.second, rpcparse.LevelConnect)
		second.id = 9
		d := s.connect()
		d.bound(first)
		d.altered(second)
		if !d.opened(2, handle(1)) || s.heldAs(tc.assurance) != 1 {
			t.Errorf("%s: %+v; closed: %v", name, s.table.Users(), d.err)
		}
	}
}
