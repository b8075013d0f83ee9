package rpcparse

import "testing"

// Bits of the byte before each PDU of FuzzConversation.
const (
	fuzzFromServer = 1 << iota
	fuzzMissed     // PDUs of that direction were missed before it
	fuzzWithdraw   // what it asks for is withdrawn
	fuzzOpened     // it was sealed and has been decrypted
)

// FuzzConversation feeds PDUs, each behind a byte that says how. The first byte
// of all are the options.
func FuzzConversation(f *testing.F) {
	for _, pdus := range wholeConversations(f) {
		for _, how := range []byte{0, fuzzMissed, fuzzWithdraw, fuzzOpened} {
			stream := []byte{how}
			for _, r := range pdus {
				stream = append(append(stream, byte(r.dir)|how), r.pdu...)
			}
			f.Add(stream)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 {
			return
		}
		c := NewConversation(ConversationOptions{FollowAll: b[0]&1 != 0, MidStream: b[0]&2 != 0, SkipWithdrawn: b[0]&4 != 0})
		for b = b[1:]; len(b) > HeaderSize; {
			h, err := ParseHeader(b[1:])
			if err != nil || int(h.FragLength) > len(b)-1 {
				return
			}
			n := 1 + int(h.FragLength)
			if !fuzzStep(t, c, b[0], h, b[1:n]) {
				return
			}
			b = b[n:]
		}
	})
}

// fuzzStep feeds one PDU and checks what must hold behind it. It reports whether
// a relay would go on.
func fuzzStep(t *testing.T, c *Conversation, how byte, h Header, pdu []byte) bool {
	dir := Direction(how & fuzzFromServer)
	if how&fuzzMissed != 0 {
		c.Missed(dir)
	}
	var p PDU
	p.Parse(h, pdu)
	p.Opened = how&fuzzOpened != 0
	c.AwaitsHandshake(&p)
	c.NeedsStub(&p)
	events, err := c.Follow(dir, &p, nil)
	for i := range events {
		fuzzEvent(t, c, &events[i], how)
	}
	switch {
	case len(c.contexts) > MaxPresentationContexts && !c.opts.FollowAll, len(c.calls) > MaxCalls, len(c.withdrawn.calls) > MaxCalls,
		len(c.security) > MaxSecurityContexts, len(c.requests) > MaxFragmented, len(c.binds) > maxPendingBinds:
		t.Fatal("a limit is exceeded")
	case err != nil && ClassOf(err) == 0:
		t.Fatalf("an error without a class: %v", err)
	}
	return err == nil || (dir == ClientToServer && ClassOf(err) != ClassLimit && !c.MayHideBind(&p))
}

func fuzzEvent(t *testing.T, c *Conversation, e *Event, how byte) {
	_ = e.String()
	if e.Kind == EventBindAnswered && e.Granted && !e.Opaque && e.Handle.IsZero() {
		t.Fatal("granted with a NULL handle")
	}
	if how&fuzzWithdraw == 0 {
		return
	}
	switch e.Kind {
	case EventBindRequested, EventUnbindRequested:
		c.Withdraw(e.Call)
	case EventAssociationRequested:
		c.WithdrawBind(e.CallID)
	}
}
