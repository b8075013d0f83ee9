package inspect

import (
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// inParts cuts an NspiBind request into fragments.
func inParts(t testing.TB, r rpc, n int) (pdus [][]byte) {
	t.Helper()
	stub := r.bindStub()
	for i := range n {
		flags := middle
		if i == 0 {
			flags |= first
		}
		if i == n-1 {
			flags |= last
		}
		pdus = append(pdus, r.part(flags).request(t, stub[i*len(stub)/n:(i+1)*len(stub)/n]))
	}
	return pdus
}

func TestFragmentedBindReachesTheServerWholeOrNotAtAll(t *testing.T) {
	for name, tc := range map[string]struct {
		level rpcparse.AuthLevel
		dummy bool
		keys  bool
	}{
		"cleartext": {}, "connect": {level: rpcparse.LevelConnect}, "dummies": {level: rpcparse.LevelConnect, dummy: true},
		"signed": {level: rpcparse.LevelIntegrity}, "sealed": {level: rpcparse.LevelPrivacy},
		"signed with keys": {level: rpcparse.LevelIntegrity, keys: true}, "sealed with keys": {level: rpcparse.LevelPrivacy, keys: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, limit(1))
			if tc.keys {
				s.deps.Keys = keyring{keytabKeys{}}
			}
			var sec *secured
			if tc.level != 0 {
				sec = alice(t, tc.level)
				sec.dummy = tc.dummy
			}
			d := s.connect()
			d.bound(sec)
			call := nspiBind(2, sec)
			parts := inParts(t, call, 4)
			d.client(parts[:3]...)
			d.wantAtServer()
			d.client(parts[3])
			d.wantAtServer(parts...)
			d.server(call.response(t, call.grantedStub(handle(1))))
			for _, pdu := range d.atClient() {
				if sec != nil {
					sec.open(rpcparse.ServerToClient, pdu)
				}
			}
			s.wantSlots(1, 0, 0, 0)
			for _, pdu := range parts {
				if sec != nil {
					sec.open(rpcparse.ClientToServer, pdu)
				}
			}

			call.id = 3
			d.client(inParts(t, call, 3)...)
			d.wantAtServer()
			got := d.atClient()
			if len(got) != 1 {
				t.Fatalf("the client has %d PDUs; closed: %v", len(got), d.err)
			}
			if sec.protects() && !tc.keys {
				wantFault(t, 3, rpcparse.StatusAccessDenied, got[0])
			} else {
				wantLogonFailed(t, call, got[0])
				d.exchanged(rpc{id: 4, ctx: ctxOther, sec: sec}, make([]byte, 50), make([]byte, 50))
			}
			d.wantOpen()
		})
	}
}

func TestWhatComesBetweenTheFragmentsOfABindEndsTheConnection(t *testing.T) {
	call := nspiBind(2, nil)
	for name, between := range map[string][]byte{
		"another call":         rpc{id: 3, ctx: ctxOther, opnum: 1}.request(t, make([]byte, 8)),
		"another NspiBind":     nspiBind(3, nil).request(t, call.bindStub()),
		"an alter_context":     bindPDU(t, rpcparse.PTypeAlterContext, 3, 0, nil),
		"its first once more":  call.part(first).request(t, call.bindStub()[:20]),
		"another context's":    rpc{id: 2, ctx: ctxOther, flags: last}.request(t, call.bindStub()[30:]),
		"another opnum's last": rpc{id: 2, opnum: 1, flags: last}.request(t, call.bindStub()[30:]),
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			d := s.connect()
			d.bound(nil)
			d.client(call.part(first).request(t, call.bindStub()[:30]))
			d.client(between)
			d.wantAtServer()
			if !d.closed || len(eventsOf[Violation](s.events)) != 1 {
				t.Errorf("closed: %v, %d violations", d.err, len(eventsOf[Violation](s.events)))
			}
		})
	}
}

// Nothing of a refused bind reaches the server, so all of it is kept, up to a bound.
func TestFragmentedBindThatIsTooLargeEndsTheConnection(t *testing.T) {
	s := newSite(t)
	sec := alice(t, rpcparse.LevelPrivacy) // without keys its stub cannot be judged before it is whole
	d := s.connect()
	d.bound(sec)
	call := nspiBind(2, sec)
	flags, n := first, 0
	for ; n < 1000 && !d.closed; n++ {
		d.client(call.part(flags).request(t, make([]byte, 1024)))
		flags = middle
	}
	d.wantAtServer()
	if !d.closed || rpcparse.ClassOf(d.err) != rpcparse.ClassLimit || n > 1+maxBufferedBind/1024 {
		t.Errorf("after %d fragments closed: %v", n, d.err)
	}
}

// The first fragment that does not verify is left to the server, and with it the
// whole bind. Behind one that was opened and kept back, the proxy would have to put
// its own signature on what somebody has altered.
func TestFragmentOfABindThatDoesNotVerify(t *testing.T) {
	for _, n := range []int{0, 1, 2} {
		s := newSite(t)
		s.deps.Keys = keyring{keytabKeys{}}
		sec := alice(t, rpcparse.LevelPrivacy)
		d := s.connect()
		d.bound(sec)
		parts := inParts(t, nspiBind(2, sec), 3)
		parts[n][26] ^= 1
		d.client(parts...)
		if n == 0 {
			d.wantAtServer(parts...)
			if len(eventsOf[Unverified](s.events)) != 1 {
				t.Error("not reported")
			}
			continue
		}
		d.wantAtServer()
		if !d.closed || rpcparse.ClassOf(d.err) != rpcparse.ClassAuth || len(eventsOf[Violation](s.events)) != 1 {
			t.Errorf("fragment %d: closed: %v", n, d.err)
		}
	}
}
