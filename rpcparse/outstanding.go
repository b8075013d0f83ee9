package rpcparse

import "slices"

// maxOutstanding is how many call ids of one connection are kept of calls that
// are not followed, as many as calls that are (MaxCalls).
const maxOutstanding = 1024

// outstanding is the calls that wait for their answers and are not followed. All
// that is known of them is their ids: an answer under such an id may be theirs.
// The zero value is empty, and an empty one has no memory of its own.
type outstanding struct {
	ids  []uint32
	room [4]uint32 // of ids while there are few
	more int       // calls beyond maxOutstanding: they may have any id
}

func (o *outstanding) begin(id uint32) {
	if len(o.ids) == 0 {
		o.ids = o.room[:0]
	}
	if len(o.ids) >= maxOutstanding {
		o.more++
		return
	}
	o.ids = append(o.ids, id)
}

// end notes an answer to a call that is not followed.
func (o *outstanding) end(id uint32) {
	i := slices.Index(o.ids, id)
	if i < 0 {
		o.more = max(0, o.more-1)
		return
	}
	last := len(o.ids) - 1
	o.ids[i] = o.ids[last]
	if o.ids = o.ids[:last]; last == 0 {
		o.ids = nil
	}
}

// mayWait reports whether one of them may have that id.
func (o *outstanding) mayWait(id uint32) bool { return o.more > 0 || slices.Contains(o.ids, id) }
