package inspect

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/rfri"
	"github.com/nspiproxy/nspiproxy/rpcparse/tower"
)

// taped is one PDU of a conversation that was recorded.
type taped struct {
	conn int
	side rpcparse.Direction
	pdu  []byte
}

// tapeOf records two connections of alice, from two addresses, with calls of all
// interfaces that are followed, whole and in fragments.
func tapeOf(t testing.TB, level rpcparse.AuthLevel) (tape []taped) {
	s := newSite(t)
	for n := range 2 {
		d := s.connect(from([]string{"10.1.2.3", "10.1.2.4"}[n]))
		d.tape = func(side rpcparse.Direction, pdu []byte) {
			tape = append(tape, taped{n, side, slices.Clone(pdu)})
		}
		var sec *secured
		if level != 0 {
			sec = alice(t, level)
		}
		d.bound(sec)
		d.granted(nspiBind(2, sec), handle(1))
		other := rpc{id: 3, ctx: ctxOther, opnum: 5, sec: sec}
		d.client(other.request(t, make([]byte, 40)))
		d.server(other.part(first).response(t, make([]byte, 20)))
		call := nspiBind(4, sec)
		d.client(inParts(t, call, 2)...)
		d.server(other.part(last).response(t, make([]byte, 20)))
		d.server(call.response(t, call.grantedStub(handle(2))))
		mapper := rpc{id: 5, ctx: ctxMapper, opnum: tower.OpnumMap, sec: sec}
		d.client(mapper.request(t, make([]byte, 16)))
		d.server(fragmentsOf(t, mapper, mapStub(t, tower.OpnumMap, rpcparse.LittleEndian, dcAddress, 49152), 2)...)
		referral := rpc{id: 6, ctx: ctxReferral, opnum: rfri.OpnumGetFQDNFromServerDN, sec: sec}
		d.client(referral.request(t, make([]byte, 16)))
		d.server(referral.response(t, referralStub(t, "dc7")))
		unbind := rpc{id: 7, opnum: nspi.OpnumUnbind, sec: sec}
		d.client(unbind.request(t, unbind.unbindStub(handle(1))))
		d.server(unbind.response(t, unbind.unboundStub(nspi.UnbindSuccess)))
		alter, answer := bindPDU(t, rpcparse.PTypeAlterContext, 8, 0, nil), ackPDU(t, rpcparse.PTypeAlterContextResp, 8, 0, nil)
		d.client(alter).server(answer)
		d.client(nspiBind(9, sec).request(t, call.bindStub()))
	}
	return tape
}

// Settings of a run, bits of its first byte.
const (
	fuzzKeys = 1 << iota
	fuzzRewriters
	fuzzLimit // of one session; else none
	fuzzDirectory
	fuzzInterleaved // the two connections take turns
	fuzzProtected   // which tape
)

// What is done with a PDU of the tape: the lower bits of a byte of the input. The
// next byte, where one is needed, says where.
const (
	fuzzAlter  = iota + 1 // flips bits of one byte
	fuzzDrop              // leaves it out
	fuzzRepeat            // feeds it twice
	fuzzCut               // leaves out its end, so that the next one of its side stands in its place
	fuzzOther             // feeds it as if the other side had sent it
	fuzzWait              // lets seconds pass before it
	fuzzEnd               // ends the server's stream before it
	fuzzOps
)

// fuzzRun is one input at work.
type fuzzRun struct {
	*site
	conns    [2]*driver
	framers  [2][2]rpcparse.Framer
	rest     [2][2][]byte // bytes that are no whole PDU yet
	answered *fakeDirectory
	settings byte
}

func newFuzzRun(t testing.TB, settings byte) *fuzzRun {
	n := policy.Limit(policy.Unlimited)
	if settings&fuzzLimit != 0 {
		n = 1
	}
	r := &fuzzRun{site: newSite(t, limit(n)), settings: settings}
	if settings&fuzzKeys != 0 {
		r.deps.Keys = keyring{keytabKeys{}}
	}
	if settings&fuzzDirectory != 0 {
		r.answered = &fakeDirectory{}
		r.deps.Directory = r.answered
	}
	names := NewGroupNames()
	for i := range r.conns {
		r.conns[i] = r.connect(from([]string{"10.1.2.3", "10.1.2.4"}[i]), func(_ *fakeConn, o *Options) {
			if settings&fuzzRewriters != 0 {
				o.Ports, o.Referrals = openedPorts{60000}, NewReferralRewriter(proxyName)
				o.Groups, o.Server = names, i
			}
		})
		r.framers[i][rpcparse.ServerToClient].Dir = rpcparse.ServerToClient
	}
	return r
}

// feed gives bytes of one side to its inspector, as far as they are whole PDUs.
func (r *fuzzRun) feed(p taped) {
	d, framer, rest := r.conns[p.conn], &r.framers[p.conn][p.side], &r.rest[p.conn][p.side]
	for *rest = append(*rest, p.pdu...); len(*rest) > 0 && !d.closed; {
		pdu, _, err := framer.Next(*rest)
		if err != nil {
			d.inspector.Malformed(*rest, err)
			d.close()
		}
		if pdu == nil {
			break
		}
		*rest = (*rest)[len(pdu):]
		got, verdicts, waits := len(d.arrived[p.side]), len(d.actions), d.pending[p.side] != nil
		d.feed(p.side, pdu)
		if !waits && len(d.actions) > verdicts && d.actions[verdicts] == Forward {
			r.wantUntouched(pdu, d.arrived[p.side][got])
		}
	}
	r.wantSane()
}

// wantUntouched checks a PDU that was forwarded: what the proxy has no keys for, and no
// rewriter is for, arrives with its bytes; everything with its length.
func (r *fuzzRun) wantUntouched(sent, got []byte) {
	if len(sent) != len(got) || r.settings&(fuzzKeys|fuzzRewriters) == 0 && !bytes.Equal(sent, got) {
		r.t.Fatalf("a PDU that is forwarded arrives as\n%x, was\n%x", got, sent)
	}
}

// wantSane checks that no count is negative or over the limit.
func (r *fuzzRun) wantSane() {
	n := r.table.Count()
	if min(n.Connections, n.Associations, n.Sessions, n.Opaque, n.Unanswered, n.Reserved, n.Provisional, n.Waiting) < 0 || n.Opaque > n.Sessions {
		r.t.Fatalf("the table has %+v", n)
	}
}

// FuzzInspector alters a recorded conversation, leaves PDUs out, repeats them, cuts
// streams: nothing may panic, no slot may be lost, and what is forwarded arrives as
// it was sent.
func FuzzInspector(f *testing.F) {
	tapes := [][]taped{tapeOf(f, 0), tapeOf(f, rpcparse.LevelPrivacy)}
	for settings := range byte(2 * fuzzProtected) { // few, because all of them run before the first alteration
		if settings%4 != 0 {
			f.Add([]byte{settings})
			continue
		}
		f.Add([]byte{settings, 0, 0, 0, 0, fuzzAlter, 30, 0, fuzzDrop, 0, 0, fuzzRepeat, 0, fuzzWait, 0, 0, fuzzOther})
		f.Add([]byte{settings, 0, 0, 0, fuzzRepeat, 0, 0, 0, 0, 0, 0, fuzzEnd, 0, 0, 0, 0, fuzzCut, 20})
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		if len(input) == 0 || len(input) > 256 {
			return
		}
		settings := input[0]
		r := newFuzzRun(t, settings)
		tape := tapes[0]
		if settings&fuzzProtected != 0 {
			tape = tapes[1]
		}
		if settings&fuzzInterleaved != 0 {
			tape = interleaved(tape)
		}
		r.play(tape, input[1:])
	})
}

// interleaved has both connections of a tape take turns.
func interleaved(tape []taped) (mixed []taped) {
	half := len(tape) / 2
	for i := range half {
		mixed = append(mixed, tape[i], tape[half+i])
	}
	return mixed
}

// play feeds a tape, changed as ops say.
func (r *fuzzRun) play(tape []taped, ops []byte) {
	next := func() (op byte) {
		if len(ops) > 0 {
			op, ops = ops[0], ops[1:]
		}
		return op
	}
	for _, p := range tape {
		p.pdu = slices.Clone(p.pdu)
		switch next() % fuzzOps {
		case fuzzAlter:
			at := int(next()) % len(p.pdu)
			p.pdu[at] ^= next() | 1
		case fuzzDrop:
			continue
		case fuzzRepeat:
			r.feed(p)
		case fuzzCut:
			p.pdu = p.pdu[:int(next())%len(p.pdu)]
		case fuzzOther:
			p.side = p.side.Other()
		case fuzzWait:
			r.pass(3 * time.Second)
		case fuzzEnd:
			if d := r.conns[p.conn]; !d.closed {
				d.inspector.ServerClosed()
			}
		}
		r.feed(p)
		if r.answered != nil && len(r.answered.done) > 0 && len(r.events)%2 == 0 {
			r.answered.answer(r.site, Answer{Found: true, SID: aliceSID, Name: labAlice})
		}
	}
}
