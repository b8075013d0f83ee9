package inspect

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/ntlm"
)

// passwordKeys are a keytab that has one key for every account.
type passwordKeys struct {
	keytabKeys
	password string
}

func (k passwordKeys) NTHashes(string, string) [][16]byte {
	if k.password == "" {
		return nil
	}
	return [][16]byte{ntlm.NTHash(k.password)}
}

// keyed is a site with keys, and a connection under a context of alice.
func keyed(t *testing.T, password string, level rpcparse.AuthLevel, changes ...func(*policy.Config)) (*site, *driver, *secured) {
	t.Helper()
	s := newSite(t, changes...)
	s.deps.Keys = keyring{passwordKeys{password: password}}
	d, sec := s.connect(), alice(t, level)
	d.bound(sec)
	return s, d, sec
}

func TestOutcomeOfTheKeysIsReportedOnceForEachContext(t *testing.T) {
	for name, tc := range map[string]struct {
		password string
		want     secctx.Result
	}{
		"found": {alicePassword, secctx.KeyFound},
		"none":  {"", secctx.NoKey},
		"wrong": {"another password", secctx.Undecryptable},
	} {
		t.Run(name, func(t *testing.T) {
			s, d, sec := keyed(t, tc.password, rpcparse.LevelPrivacy)
			d.exchanged(rpc{id: 2, ctx: ctxOther, sec: sec}, make([]byte, 16), make([]byte, 16))
			all := eventsOf[KeyOutcome](s.events)
			if len(all) != 1 || all[0].Outcome.Result != tc.want || all[0].Source != (Source{Client: d.fakeConn.client, Backend: "dc1"}) {
				t.Errorf("reported %+v, want %v", all, tc.want)
			}
			fresh := alice(t, rpcparse.LevelIntegrity)
			fresh.id = 9
			d.altered(fresh)
			if n := len(eventsOf[KeyOutcome](s.events)); n != 2 {
				t.Errorf("%d outcomes of two contexts", n)
			}
		})
	}
}

func TestWrongKeyLeavesTheConnectionAlone(t *testing.T) {
	s, d, sec := keyed(t, "another password", rpcparse.LevelPrivacy, limit(1))
	call := nspiBind(2, sec)
	request := call.request(t, call.bindStub())
	answer := call.response(t, call.grantedStub(handle(1)))
	d.client(request).server(answer)
	d.wantAtServer(request)
	d.wantAtClient(answer)
	if n := s.table.Count(); n.Opaque != 1 {
		t.Errorf("%+v", n)
	}
	wantFault(t, 3, rpcparse.StatusAccessDenied, d.refused(nspiBind(3, sec)))
}

// From the first refusal on the client's PDUs are protected again for the server,
// and the server's for the client.
func TestRefusalVerifiesAndTheContextGoesOnWhereKeysAreKnown(t *testing.T) {
	for _, level := range levels {
		for _, order := range []rpcparse.Order{rpcparse.LittleEndian, rpcparse.BigEndian} {
			t.Run(fmt.Sprint(level, " ", order == rpcparse.BigEndian), func(t *testing.T) {
				s, d, sec := keyed(t, alicePassword, level, limit(2))
				id := uint32(1)
				next := func(r rpc) rpc { id++; r.id, r.sec, r.order = id, sec, order; return r }
				exercise := func() {
					for _, n := range []int{0, 1, 16, 1000, 5000} {
						d.exchanged(next(rpc{ctx: ctxOther, opnum: 9}), bytes.Repeat([]byte{1}, n), bytes.Repeat([]byte{2}, n))
					}
				}
				d.granted(next(rpc{}), handle(1))
				d.granted(next(rpc{}), handle(2))
				exercise()
				for range 3 {
					call := next(rpc{})
					wantLogonFailed(t, call, d.refused(call))
					exercise()
				}
				d.unbound(next(rpc{}), handle(1))
				d.granted(next(rpc{}), handle(3))
				call := next(rpc{})
				wantLogonFailed(t, call, d.refused(call))
				exercise()
				if n := s.table.Count(); n.Sessions != 2 || n.Opaque != 0 {
					t.Errorf("%+v", n)
				}
			})
		}
	}
}

// At level connect verifiers are dummies, which no key makes true.
func TestDummyVerifiersAreNotVerified(t *testing.T) {
	s := newSite(t, limit(1))
	s.deps.Keys = keyring{passwordKeys{password: alicePassword}}
	sec := alice(t, rpcparse.LevelConnect)
	sec.dummy = true
	d := s.connect()
	d.bound(sec)
	d.granted(nspiBind(2, sec), handle(1))
	call := nspiBind(3, sec)
	wantLogonFailed(t, call, d.refused(call))
	d.unbound(rpc{id: 4, sec: sec}, handle(1))
	if n := len(eventsOf[Unverified](s.events)); n != 0 {
		t.Errorf("%d PDUs are said not to verify", n)
	}
}

// As long as nothing has been swallowed or put in, PDUs pass as they were sent.
func TestOpenedPDUsPassAsTheyWereSent(t *testing.T) {
	s, d, sec := keyed(t, alicePassword, rpcparse.LevelPrivacy, limit(2))
	for id := uint32(2); id < 4; id++ {
		call := nspiBind(id, sec)
		request := call.request(t, call.bindStub())
		answer := call.response(t, call.grantedStub(handle(byte(id))))
		d.client(request).server(answer)
		d.wantAtServer(request)
		d.wantAtClient(answer)
	}
	if n := s.table.Count(); n.Sessions != 2 || n.Opaque != 0 {
		t.Errorf("%+v", n)
	}
}

// Every context has numbers of its own.
func TestRefusalUnderOneContextLeavesTheOtherAsItWas(t *testing.T) {
	_, d, one := keyed(t, alicePassword, rpcparse.LevelPrivacy, limit(0))
	two := asUser(t, "bob", rpcparse.LevelIntegrity)
	two.id = 12
	d.altered(two)
	call := nspiBind(2, one)
	wantLogonFailed(t, call, d.refused(call))
	other := rpc{id: 3, ctx: ctxOther, sec: two}
	request, answer := other.request(t, make([]byte, 64)), other.response(t, make([]byte, 64))
	d.client(request).server(answer)
	d.wantAtServer(request)
	d.wantAtClient(answer)
	two.open(rpcparse.ClientToServer, request)
	two.open(rpcparse.ServerToClient, answer)
	for id := uint32(4); id < 20; id += 2 {
		d.exchanged(rpc{id: id, ctx: ctxOther, sec: one}, make([]byte, id), make([]byte, id))
		d.exchanged(rpc{id: id + 1, ctx: ctxOther, sec: two}, make([]byte, id), make([]byte, id))
	}
}

// An alter_context without a token has the request behind it wait.
func TestRequestThatWaitsForAHandshakeIsProtectedAgainAfterARefusal(t *testing.T) {
	s, d, sec := keyed(t, alicePassword, rpcparse.LevelPrivacy, limit(1))
	d.granted(nspiBind(2, sec), handle(1))
	call := nspiBind(3, sec)
	wantLogonFailed(t, call, d.refused(call))
	alter, answer := bindPDU(t, rpcparse.PTypeAlterContext, 4, 0, nil), ackPDU(t, rpcparse.PTypeAlterContextResp, 4, 0, nil)
	unbind := rpc{id: 5, opnum: nspi.OpnumUnbind, sec: sec}
	d.client(alter, unbind.request(t, unbind.unbindStub(handle(1))))
	d.wantAtServer(alter)
	d.server(answer)
	d.wantAtClient(answer)
	got := d.atServer()
	if len(got) != 1 {
		t.Fatalf("%d PDUs reach the server; closed: %v", len(got), d.err)
	}
	sec.open(rpcparse.ClientToServer, got[0])
	d.server(unbind.response(t, unbind.unboundStub(nspi.UnbindSuccess)))
	s.wantSlots(0, 0, 0, 0)
}

// As long as the proxy has changed nothing it is no party: the receiver judges what
// the sender, or a machine in the path, has sent.
func TestPDUThatDoesNotVerifyIsItsReceiversToJudge(t *testing.T) {
	for _, level := range levels {
		t.Run(level.String(), func(t *testing.T) {
			s, d, sec := keyed(t, alicePassword, level)
			call := nspiBind(2, sec)
			altered := call.request(t, call.bindStub())
			altered[40] ^= 1 // in the stub, which begins at 24
			d.client(altered)
			d.wantAtServer(altered)
			fault := call.fault(t, rpcparse.StatusSecPkgError)
			d.server(fault)
			d.wantAtClient(fault)
			if n, v := len(eventsOf[Unverified](s.events)), len(eventsOf[Violation](s.events)); n != 1 || v != 0 {
				t.Errorf("%d unverified, %d violations", n, v)
			}
			s.wantSlots(0, 0, 0, 0)

			s, d, sec = keyed(t, alicePassword, level)
			call = nspiBind(2, sec)
			d.client(call.request(t, call.bindStub()))
			altered = call.response(t, call.grantedStub(handle(1)))
			altered[40] ^= 1
			d.server(altered)
			d.wantAtClient(altered)
			if n := len(eventsOf[Unverified](s.events)); n != 1 {
				t.Errorf("%d unverified", n)
			}
		})
	}
}

// There the proxy would have to put its own signature on what somebody has altered.
func TestPDUThatDoesNotVerifyEndsAConnectionThatIsProtectedAgain(t *testing.T) {
	for _, level := range levels {
		for _, side := range []rpcparse.Direction{rpcparse.ClientToServer, rpcparse.ServerToClient} {
			t.Run(fmt.Sprint(level, " ", side), func(t *testing.T) {
				s, d, sec := keyed(t, alicePassword, level, limit(0))
				call := nspiBind(2, sec)
				wantLogonFailed(t, call, d.refused(call))
				other := rpc{id: 3, ctx: ctxOther, sec: sec}
				altered := other.request(t, make([]byte, 32))
				if side == rpcparse.ServerToClient {
					d.client(altered)
					d.atServer()
					altered = other.response(t, make([]byte, 32))
				}
				altered[30] ^= 1
				d.feed(side, altered)
				d.wantAtServer()
				for _, pdu := range d.atClient() {
					if pdu[2] != byte(rpcparse.PTypeFault) {
						t.Errorf("the client has %x", pdu)
					}
				}
				if !d.closed || rpcparse.ClassOf(d.err) != rpcparse.ClassAuth || len(eventsOf[Violation](s.events)) != 1 {
					t.Errorf("closed: %v", d.err)
				}
			})
		}
	}
}
