package inspect

import (
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// A PDU of the proxy's own must not stand between the fragments of a response.
func TestRefusalWaitsForTheEndOfAResponse(t *testing.T) {
	for name, tc := range map[string]struct {
		level rpcparse.AuthLevel
		keys  bool
	}{
		"cleartext": {}, "connect": {level: rpcparse.LevelConnect}, "sealed": {level: rpcparse.LevelPrivacy},
		"signed with keys": {rpcparse.LevelIntegrity, true}, "sealed with keys": {rpcparse.LevelPrivacy, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, limit(0))
			if tc.keys {
				s.deps.Keys = keyring{keytabKeys{}}
			}
			var sec *secured
			if tc.level != 0 {
				sec = alice(t, tc.level)
			}
			d := s.connect()
			d.bound(sec)
			slow := rpc{id: 2, ctx: ctxOther, opnum: 4, sec: sec}
			d.client(slow.request(t, make([]byte, 16)))
			d.atServer()
			d.server(slow.part(first).response(t, make([]byte, 32)))
			calls := []rpc{nspiBind(3, sec), nspiBind(4, sec)}
			if sec.protects() && !tc.keys {
				calls = calls[:1] // the context is over for the server
			}
			for _, call := range calls {
				d.client(call.request(t, call.bindStub()))
			}
			d.wantAtServer()
			begun := d.atClient()
			if len(begun) != 1 {
				t.Fatalf("the client has %d PDUs while the response is unfinished", len(begun))
			}
			d.server(slow.part(middle).response(t, make([]byte, 32)), slow.part(last).response(t, make([]byte, 32)))
			rest := d.atClient()
			if len(rest) != 2+len(calls) {
				t.Fatalf("the client has %d PDUs after it; closed: %v", len(rest), d.err)
			}
			for _, pdu := range append(begun, rest[:2]...) {
				if x, err := rpcparse.ParseResponse(pdu); err != nil || x.CallID != slow.id {
					t.Fatalf("%x between the fragments: %v", pdu, err)
				}
				if sec != nil {
					sec.open(rpcparse.ServerToClient, pdu)
				}
			}
			for i, call := range calls {
				if sec.protects() && !tc.keys {
					wantFault(t, call.id, rpcparse.StatusAccessDenied, rest[2+i])
				} else {
					wantLogonFailed(t, call, rest[2+i])
				}
			}
			d.wantOpen()
		})
	}
}

func TestAnswersThatWaitAreBounded(t *testing.T) {
	s := newSite(t, limit(0))
	d := s.connect()
	d.bound(nil)
	slow := rpc{id: 2, ctx: ctxOther}
	d.client(slow.request(t, nil))
	d.server(slow.part(first).response(t, make([]byte, 8)))
	call := nspiBind(3, nil)
	for range maxDeferred {
		d.client(call.request(t, call.bindStub()))
		call.id++
	}
	d.wantOpen()
	if got := d.atClient(); len(got) != 1 {
		t.Fatalf("the client has %d PDUs while the response is unfinished", len(got))
	}
	d.client(call.request(t, call.bindStub()))
	if !d.closed || rpcparse.ClassOf(d.err) != rpcparse.ClassLimit {
		t.Errorf("one answer more: closed: %v", d.err)
	}
}

func TestAnswersThatWaitFollowAFaultThatEndsTheResponse(t *testing.T) {
	s := newSite(t, limit(0))
	d := s.connect()
	d.bound(nil)
	slow := rpc{id: 2, ctx: ctxOther}
	d.client(slow.request(t, nil))
	d.server(slow.part(first).response(t, make([]byte, 8)))
	call := nspiBind(3, nil)
	d.client(call.request(t, call.bindStub()))
	d.atClient()
	d.server(slow.fault(t, rpcparse.StatusUnspecified))
	got := d.atClient()
	if len(got) != 2 {
		t.Fatalf("the client has %d PDUs", len(got))
	}
	wantFault(t, 2, rpcparse.StatusUnspecified, got[0])
	wantLogonFailed(t, call, got[1])
}
