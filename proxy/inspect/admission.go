package inspect

import (
	"sync/atomic"
	"time"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/session"
)

// maxBufferedBind is how many bytes of a fragmented NspiBind request are
// buffered until it is whole: nothing of a refused bind reaches the server.
const maxBufferedBind = 16 << 10

var (
	// errInterleaved: fragments of an NspiBind are buffered until it is whole,
	// and nothing may overtake them, because PDUs are numbered by their
	// signatures.
	errInterleaved = rpcparse.Errorf(rpcparse.ClassState, "nspi_bind_interleaved", 12, "another PDU between the fragments of an NspiBind")
	// errMixedKeys: keys came or went between the fragments of an NspiBind, so
	// that some of them are opened and some are not.
	errMixedKeys = rpcparse.Errorf(rpcparse.ClassAuth, "nspi_bind_keys", 0, "keys changed between the fragments of an NspiBind")
)

// admission owns the NspiBind request that is not decided yet.
type admission struct {
	pending   *pendingRequest // the client's PDU that waits
	fragments []byte          // of an NspiBind that is not whole yet
	opened    bool            // they were: fragments is plaintext
	call      *rpcparse.Call  // that fragments belong to
	held      *hold           // of the NspiBind that waits because its user could not be read
}

// unreadableHold is how long an NspiBind waits whose user could not be read, before
// it is refused: as long as others wait for an answer that does not come.
const unreadableHold = session.WaitTimeout

// hold is a time that an NspiBind waits.
type hold struct{ over atomic.Bool }

// heldLongEnough reports whether the NspiBind that is decided has waited for its
// time, which begins with the first call. after calls a function once the time is
// over; nil: that of package time.
func (a *admission) heldLongEnough(after func(time.Duration, func()), wake func()) bool {
	if a.held != nil {
		return a.held.over.Load()
	}
	if after == nil {
		after = func(d time.Duration, f func()) { time.AfterFunc(d, f) }
	}
	h := &hold{}
	a.held = h
	after(unreadableHold, func() {
		h.over.Store(true)
		wake()
	})
	return false
}

// pendingRequest is a client's PDU that waits. The PDU itself stays with who
// drives the inspector.
type pendingRequest struct {
	call *rpcparse.Call // a whole NspiBind whose user is not known or proven; nil: a request that awaits a handshake
	pdu  protectedPDU   // with call
}

// awaitHandshake has a request wait for the answer to a handshake.
func (a *admission) awaitHandshake() Verdict {
	a.pending = &pendingRequest{}
	return Verdict{Action: Hold}
}

// awaitsHandshake reports whether that is what a PDU waits for.
func (a *admission) awaitsHandshake() bool { return a.pending != nil && a.pending.call == nil }

// awaitUser has an NspiBind wait until it can be decided.
func (a *admission) awaitUser(k *rpcparse.Call, x *protectedPDU) Verdict {
	a.pending = &pendingRequest{call: k, pdu: *x}
	return Verdict{Action: Hold}
}

// take returns what waits, which is wire, and lets it wait no longer.
func (a *admission) take(wire []byte) *pendingRequest {
	w := a.pending
	a.pending = nil
	if w == nil || w.call == nil {
		return w
	}
	w.pdu.wire = wire
	if w.pdu.mode != decryptedCopy {
		w.pdu.Rebase(wire)
	}
	return w
}

// interleaves reports whether a PDU of call k comes between the fragments of an
// NspiBind.
func (a *admission) interleaves(k *rpcparse.Call) bool { return len(a.fragments) > 0 && k != a.call }

// buffer keeps a fragment of an NspiBind back.
func (a *admission) buffer(k *rpcparse.Call, x *protectedPDU) Verdict {
	if len(a.fragments)+len(x.Raw) > maxBufferedBind {
		return closing(rpcparse.Errorf(rpcparse.ClassLimit, "nspi_bind", 0, "an NspiBind request of more than %d bytes", maxBufferedBind))
	}
	if len(a.fragments) > 0 && x.Opened != a.opened {
		return closing(errMixedKeys)
	}
	a.fragments, a.call, a.opened = append(a.fragments, x.Raw...), k, x.Opened
	return Verdict{Action: Drop}
}

// drop forgets an NspiBind that is refused.
func (a *admission) drop() { a.fragments, a.call, a.held = nil, nil, nil }

// whole returns the buffered fragments with the last one, x, behind
// them, as they go to the server.
func (a *admission) whole(p *protection, conv *rpcparse.Conversation, x *protectedPDU) ([]byte, error) {
	if x.Opened != a.opened {
		return nil, errMixedKeys
	}
	all := append(a.fragments, x.Raw...)
	a.drop()
	if !x.Opened {
		return all, nil
	}
	return all, p.sealAll(conv, all)
}

// sealAll protects consecutive requests that were opened and buffered.
func (p *protection) sealAll(conv *rpcparse.Conversation, pdus []byte) error {
	for len(pdus) > 0 {
		h, err := rpcparse.ParseHeader(pdus)
		if err != nil {
			return err
		}
		var x protectedPDU
		x.parse(h, pdus[:h.FragLength])
		if !p.locate(conv, &x) {
			return errMixedKeys // opened, and its keys are gone: never in the clear
		}
		if err := x.context.Seal(rpcparse.ClientToServer, x.wire, x.layout); err != nil {
			return err
		}
		pdus = pdus[h.FragLength:]
	}
	return nil
}
