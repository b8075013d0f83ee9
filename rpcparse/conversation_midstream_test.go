package rpcparse

import (
	"testing"
)

// readers are what reads captures: of everything, or of what a proxy follows.
var readers = map[string]ConversationOptions{
	"of all":               {FollowAll: true, MidStream: true},
	"of what a proxy sees": {MidStream: true},
}

// Whatever PDU is the first that a capture has, the rest is followed.
func TestConversationMayBeginInMidStream(t *testing.T) {
	first := map[PType]bool{}
	for name, pdus := range wholeConversations(t) {
		for reader, opts := range readers {
			for cut := range pdus {
				first[parsed(t, pdus[cut].pdu).Type] = true
				if s := play(t, opts, pdus[cut:]); s.err != nil {
					t.Errorf("%s, reader %s, from PDU %d: %v", name, reader, cut, s.err)
				}
			}
		}
	}
	for p := range PTypeRTS {
		if p.Known() && !first[p] {
			t.Errorf("%v was never the first", p)
		}
	}
}

// Wherever PDUs were missed, the rest is followed.
func TestConversationGoesOnBehindMissedPDUs(t *testing.T) {
	for name, pdus := range wholeConversations(t) {
		for reader, opts := range readers {
			opts.MidStream = false
			for from := range pdus {
				for to := from + 1; to < len(pdus); to++ {
					s := play(t, opts, pdus[:from])
					for _, r := range pdus[from:to] {
						s.c.Missed(r.dir)
					}
					for _, r := range pdus[to:] {
						s.step(r)
					}
					if s.err != nil {
						t.Errorf("%s, reader %s, without PDUs %d to %d: %v", name, reader, from, to-1, s.err)
					}
				}
			}
		}
	}
}
