package rpcparse

import "slices"

// MaxFragmented is how many requests of one connection may be between their
// first and last fragment. A client should finish one before it begins the
// next (MS-RPCE 3.3.1.5.8), but servers take several with concurrent
// multiplexing.
const MaxFragmented = 64

// requestFragments are the requests of one connection that are between their
// first and last fragment, in no order. An empty list takes no memory.
type requestFragments []fragmented

// find returns the request of that call id, or nil. It is valid until the next
// change.
func (t requestFragments) find(callID uint32) *fragmented {
	for i := range t {
		if t[i].callID == callID {
			return &t[i]
		}
	}
	return nil
}

// begin follows a first fragment. f is nil if it is the last one too, or on
// error. midStream says that the end of an earlier request of its call id may
// not have been seen.
func (t *requestFragments) begin(r *Request, midStream bool) (f *fragmented, err error) {
	if old := t.find(r.CallID); old != nil {
		if !old.abandoned && !midStream {
			return nil, Errorf(ClassState, "fragment_first_twice", 3, "call %d begins again before it ended", r.CallID)
		}
		t.end(r.CallID)
	}
	if r.Last() {
		return nil, nil
	}
	if len(*t) >= MaxFragmented {
		*t = slices.DeleteFunc(*t, func(f fragmented) bool { return f.abandoned })
	}
	if len(*t) >= MaxFragmented {
		return nil, Errorf(ClassLimit, "fragmented_calls", 3, "more than %d requests between their first and last fragment", MaxFragmented)
	}
	*t = append(*t, firstFragment(&r.Header, r.ContextID, r.Opnum, &r.Verifier, r.HasVerifier))
	return &(*t)[len(*t)-1], nil
}

// end forgets the request of that call id, if there is one.
func (t *requestFragments) end(callID uint32) {
	for i := range *t {
		if (*t)[i].callID == callID {
			last := len(*t) - 1
			(*t)[i] = (*t)[last]
			*t = (*t)[:last]
			break
		}
	}
	if len(*t) == 0 {
		*t = nil
	}
}

// abandon notes that the rest of a request may not come any more.
func (t requestFragments) abandon(callID uint32) {
	if f := t.find(callID); f != nil {
		f.abandoned = true
	}
}
