package inspect

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// claimAgain is a second AUTHENTICATE under a context.
func claimAgain(t testing.TB, sec *secured) []byte {
	other := asUser(t, "mallory", sec.level)
	return auth3PDU(t, 9, sec.verifier(other.authenticate(other.challenge(other.negotiate()))))
}

// A client's PDU that breaks a rule is the domain controller's to judge, unless a
// session could be opened unseen by it.
func TestClientPDUThatBreaksARule(t *testing.T) {
	shutdown := header(rpcparse.PTypeShutdown, 2)
	shutdown.FragLength = rpcparse.HeaderSize
	for name, tc := range map[string]struct {
		before func(t testing.TB) [][]byte // after the handshake; may be nil
		pdu    func(t testing.TB) []byte
		passes bool           // to the server, and the connection lives
		answer rpcparse.PType // to the client, where it does not; 0: none
	}{
		"shutdown from a client": {nil, func(t testing.TB) []byte { return rpcparse.AppendHeader(nil, shutdown) }, true, 0},
		"a call again before its answer": {func(t testing.TB) [][]byte {
			return [][]byte{rpc{id: 2, ctx: ctxMapper, opnum: 3}.request(t, make([]byte, 8))}
		}, func(t testing.TB) []byte { return rpc{id: 2, ctx: ctxMapper, opnum: 3}.request(t, make([]byte, 8)) }, true, 0},
		"a later fragment without a first": {nil, func(t testing.TB) []byte {
			return rpc{id: 2, ctx: ctxOther, flags: last}.request(t, make([]byte, 8))
		}, true, 0},
		"NspiBind under the id of another call": {func(t testing.TB) [][]byte {
			return [][]byte{rpc{id: 2, ctx: ctxMapper, opnum: 3}.request(t, make([]byte, 8))}
		}, func(t testing.TB) []byte { return nspiBind(2, nil).request(t, nspiBind(2, nil).bindStub()) }, false, rpcparse.PTypeFault},
		"another call under the id of an NspiBind": {func(t testing.TB) [][]byte {
			return [][]byte{nspiBind(2, nil).request(t, nspiBind(2, nil).bindStub())}
		}, func(t testing.TB) []byte { return rpc{id: 2, ctx: ctxOther}.request(t, nil) }, false, rpcparse.PTypeFault},
		"a later fragment of NspiBind without a first": {nil, func(t testing.TB) []byte {
			return rpc{id: 2, flags: last}.request(t, nspiBind(2, nil).bindStub())
		}, false, rpcparse.PTypeFault},
		"an alter_context under the id of an NspiBind": {func(t testing.TB) [][]byte {
			return [][]byte{nspiBind(2, nil).request(t, nspiBind(2, nil).bindStub())}
		}, func(t testing.TB) []byte { return bindPDU(t, rpcparse.PTypeAlterContext, 2, 0, nil) }, false, rpcparse.PTypeFault},
		"a second bind": {nil, func(t testing.TB) []byte { return bindPDU(t, rpcparse.PTypeBind, 2, 0, nil) }, true, 0},
		"auth3 of no context": {nil, func(t testing.TB) []byte {
			return auth3PDU(t, 2, rpcparse.Verifier{Type: rpcparse.AuthNTLM, Level: rpcparse.LevelConnect, ContextID: 99, Token: make([]byte, 16)})
		}, true, 0},
		"a bind_ack": {nil, func(t testing.TB) []byte { return ackPDU(t, rpcparse.PTypeBindAck, 2, 1, nil) }, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			d := s.connect()
			d.bound(nil)
			if tc.before != nil {
				d.client(tc.before(t)...)
				d.atServer()
			}
			pdu := tc.pdu(t)
			d.client(pdu)
			irregular, violations := eventsOf[Irregular](s.events), eventsOf[Violation](s.events)
			if tc.passes {
				d.wantAtServer(pdu)
				d.wantAtClient()
				d.wantOpen()
				if len(irregular) != 1 || irregular[0].Err == nil || len(violations) != 0 {
					t.Errorf("reported %+v, %+v", irregular, violations)
				}
				return
			}
			d.wantAtServer()
			if !d.closed || len(violations) != 1 || len(irregular) != 0 {
				t.Fatalf("closed: %v; reported %+v, %+v", d.err, irregular, violations)
			}
			v := violations[0]
			if v.Header != hex.EncodeToString(pdu[:rpcparse.HeaderSize]) || v.Type != rpcparse.PType(pdu[2]) || !errors.Is(d.err, v.Err) {
				t.Errorf("reported %+v; closed: %v", v, d.err)
			}
			if got := d.atClient(); len(got) != 1 || rpcparse.PType(got[0][2]) != tc.answer {
				t.Errorf("the client has %x, want %v", got, tc.answer)
			} else {
				wantFault(t, 2, rpcparse.StatusProtoError, got[0])
			}
		})
	}
}

// A user cannot be changed under an accepted context, as far as the proxy knows; the
// server says whether it can. Binds of that context are not let through until then.
func TestSecondNameUnderAContextDoesNotMoveItsSessions(t *testing.T) {
	s := newSite(t, limit(1))
	sec := alice(t, rpcparse.LevelConnect)
	d := s.connect()
	d.bound(sec)
	again := claimAgain(t, sec)
	d.client(again)
	d.wantAtServer(again) // the server's to judge
	if n := len(eventsOf[Irregular](s.events)); n != 1 {
		t.Errorf("%d irregular PDUs", n)
	}
	call := nspiBind(2, sec)
	d.client(call.request(t, call.bindStub()))
	d.wantAtServer()
	if !d.closed || rpcparse.ClassOf(d.err) != rpcparse.ClassAuth {
		t.Errorf("an NspiBind whose user is contested; closed: %v", d.err)
	}
}

func TestServerPDUThatBreaksARuleEndsTheConnection(t *testing.T) {
	for name, tc := range map[string]struct {
		client, server func(t testing.TB) []byte
	}{
		"bind_ack without a bind": {nil, func(t testing.TB) []byte { return ackPDU(t, rpcparse.PTypeBindAck, 8, 1, nil) }},
		"a response before the request is whole": {func(t testing.TB) []byte {
			return rpc{id: 2, ctx: ctxMapper, opnum: 3, flags: first}.request(t, make([]byte, 8))
		},
			func(t testing.TB) []byte { return rpc{id: 2, ctx: ctxMapper}.response(t, make([]byte, 8)) }},
		"another association in alter_context_resp": {func(t testing.TB) []byte { return bindPDU(t, rpcparse.PTypeAlterContext, 2, 0, nil) },
			func(t testing.TB) []byte { return ackPDU(t, rpcparse.PTypeBindAck, 2, 0x7777, nil) }},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			d := s.connect()
			d.bound(nil)
			d.granted(nspiBind(50, nil), handle(1))
			if tc.client != nil {
				d.client(tc.client(t))
				d.atServer()
			}
			d.server(tc.server(t))
			d.wantAtClient()
			if all := eventsOf[Violation](s.events); !d.closed || len(all) != 1 {
				t.Errorf("closed: %v; reported %+v", d.err, all)
			}
			s.wantSlots(0, 0, 0, 0)
		})
	}
}

// What the client has a part of must not be interrupted, not even by a fault.
func TestViolationInTheMiddleOfAResponseIsNotAnswered(t *testing.T) {
	s := newSite(t)
	d := s.connect()
	d.bound(nil)
	d.client(rpc{id: 2, ctx: ctxOther}.request(t, nil))
	d.server(rpc{id: 2, ctx: ctxOther, flags: first}.response(t, make([]byte, 8)))
	d.atClient()
	d.client(rpc{id: 3, flags: last}.request(t, nspiBind(3, nil).bindStub()))
	d.wantAtClient()
	if !d.closed {
		t.Error("the connection lives")
	}
}

func TestRequestBeforeTheBindIsTheServersToJudge(t *testing.T) {
	s := newSite(t, limit(0))
	d := s.connect()
	early := rpc{id: 2, ctx: ctxOther, opnum: 4}.request(t, nil)
	d.client(early)
	d.wantAtServer(early)
	if n := len(eventsOf[Irregular](s.events)); n != 1 {
		t.Errorf("%d irregular PDUs", n)
	}
}

func TestMalformedStreamIsAnsweredAsItsHeaderAsks(t *testing.T) {
	good := header(rpcparse.PTypeRequest, 7)
	good.FragLength = 24
	request := rpcparse.AppendHeader(nil, good)
	big := bytes.Clone(request)
	copy(big, rpcparse.AppendHeader(nil, rpcparse.Header{Type: rpcparse.PTypeRequest, Flags: rpcparse.FlagsWhole, CallID: 7, FragLength: 24}))
	for name, tc := range map[string]struct {
		head []byte
		want rpcparse.PType // 0: no answer
	}{
		"request":          {request, rpcparse.PTypeFault},
		"big-endian":       {big, rpcparse.PTypeFault},
		"alter_context":    {rpcparse.AppendHeader(nil, header(rpcparse.PTypeAlterContext, 7)), rpcparse.PTypeFault},
		"bind":             {rpcparse.AppendHeader(nil, header(rpcparse.PTypeBind, 7)), rpcparse.PTypeBindNak},
		"auth3":            {rpcparse.AppendHeader(nil, header(rpcparse.PTypeAuth3, 7)), 0},
		"a response":       {rpcparse.AppendHeader(nil, header(rpcparse.PTypeResponse, 7)), 0},
		"less than header": {request[:rpcparse.HeaderSize-1], 0},
		"one byte":         {request[:1], 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			d := s.connect()
			d.bound(nil)
			bad := rpcparse.Errorf(rpcparse.ClassInvalid, "frag_length", 8, "made for this test")
			got := d.inspector.Malformed(tc.head, bad)
			if all := eventsOf[Violation](s.events); len(all) != 1 || all[0].Err != error(bad) {
				t.Errorf("reported %+v", all)
			}
			if tc.want == 0 {
				if len(got) > 0 {
					t.Errorf("answered with %x", got)
				}
				return
			}
			h, err := rpcparse.ParseHeader(got)
			if err != nil || h.Type != tc.want || h.CallID != 7 || int(h.FragLength) != len(got) {
				t.Errorf("answered with %x, %v; want %v", got, err, tc.want)
			}
		})
	}
}

func TestConnectionThatIsNotRPCIsReported(t *testing.T) {
	s := newSite(t)
	d := s.connect()
	d.inspector.NotRPC()
	if all := eventsOf[NotRPC](s.events); len(all) != 1 || all[0].Source != (Source{Client: d.fakeConn.client, Backend: "dc1"}) {
		t.Errorf("reported %+v", all)
	}
}

// Cancels and orphaned calls release nothing: the server may carry the call out.
func TestAbandonedBindIsStillCounted(t *testing.T) {
	s := newSite(t, limit(1))
	d := s.connect()
	d.bound(nil)
	call := nspiBind(2, nil)
	request := call.request(t, call.bindStub())
	orphaned, err := rpcparse.AppendOrphaned(nil, rpcparse.Orphaned{Header: header(rpcparse.PTypeOrphaned, 2)})
	must(t, orphaned, err)
	d.client(request, orphaned)
	d.wantAtServer(request, orphaned)
	s.wantSlots(0, 1, 0, 0)
	d.refused(nspiBind(3, nil))
	d.server(call.response(t, call.grantedStub(handle(1))))
	s.wantSlots(1, 0, 0, 0)
}
