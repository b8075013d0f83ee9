package rpcparse

// responseFragments is the response of one connection that is between its first
// and last fragment. Fragments of different calls should not be interleaved;
// where they are, only the newest is checked.
type responseFragments struct {
	fragmented
	unfinished bool // the last fragment has not come yet
}

// follow checks one PDU of a response.
func (f *responseFragments) follow(r *Response) error {
	if r.First() {
		if f.unfinished && f.callID != r.CallID && r.Last() && !f.abandoned {
			return nil // a whole response between the fragments of another
		}
		f.fragmented = firstFragment(&r.Header, r.ContextID, 0, &r.Verifier, r.HasVerifier)
		f.unfinished = !r.Last()
		return nil
	}
	if !f.unfinished || f.callID != r.CallID {
		return nil
	}
	f.unfinished = !r.Last()
	return f.check(&r.Header, r.ContextID, &r.Verifier, r.HasVerifier)
}

// faulted notes that a fault has ended a call: the rest of its response will
// not come. A response that the client has given up ends with the next PDU of
// another call.
func (f *responseFragments) faulted(callID uint32) {
	if f.callID == callID || f.abandoned {
		f.unfinished = false
	}
}

// orphaned notes that the client has given up a call. The server may still
// send the rest of its response.
func (f *responseFragments) orphaned(callID uint32) {
	if f.unfinished && f.callID == callID {
		f.abandoned = true
	}
}
