package rpcparse

import "slices"

// withdrawn is what the caller has withdrawn although the server received it and
// answers (see [ConversationOptions.SkipWithdrawn]). The zero value is empty.
type withdrawn struct {
	calls []uint32 // ids, the oldest first, at most MaxCalls
	bind  bool     // the newest bind, and with it all that follows on its connection
}

// addCall notes a withdrawn call.
func (w *withdrawn) addCall(id uint32) {
	if len(w.calls) >= MaxCalls { // a capture may lack the answers
		w.calls = append(w.calls[:0], w.calls[1:]...)
	}
	w.calls = append(w.calls, id)
}

// endCall forgets a withdrawn call that has been answered, or whose id is used
// for another one.
func (w *withdrawn) endCall(id uint32) {
	w.calls = slices.DeleteFunc(w.calls, func(k uint32) bool { return k == id })
	if len(w.calls) == 0 {
		w.calls = nil
	}
}

// skipsClient reports whether a PDU of the client belongs to what was withdrawn,
// and notes what is not withdrawn any more.
func (w *withdrawn) skipsClient(p *PDU) bool {
	switch {
	case w.bind && p.Type == PTypeBind:
		w.bind = false
	case w.bind:
		return true
	case len(w.calls) > 0 && p.Type == PTypeRequest && p.First():
		w.endCall(p.CallID)
	}
	return false
}

// skipsServer reports whether a PDU of the server answers what was withdrawn, and
// forgets what is answered completely.
func (w *withdrawn) skipsServer(p *PDU) bool {
	if w.bind {
		return true
	}
	if (p.Type != PTypeResponse && p.Type != PTypeFault) || !slices.Contains(w.calls, p.CallID) {
		return false
	}
	if p.Last() || p.Type == PTypeFault {
		w.endCall(p.CallID)
	}
	return true
}
