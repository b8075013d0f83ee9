package rpcparse

// MaxCalls is how many calls in flight are followed on one connection.
// Peers set no limit with concurrent multiplexing; Zeek follows 20.
const MaxCalls = 1024

// calls are the calls of one connection that wait for their answers and are
// followed, in no order. An empty table takes no memory.
type calls []*Call

// find returns the call of that id, or nil.
func (t calls) find(id uint32) *Call {
	for _, k := range t {
		if k.ID == id {
			return k
		}
	}
	return nil
}

// add adds a call. Where dropOldest is set, a full table drops one of its oldest
// for it: captures may lack all that one side sent.
func (t *calls) add(k *Call, dropOldest bool) error {
	if len(*t) >= MaxCalls {
		if !dropOldest {
			return Errorf(ClassLimit, "calls", 12, "more than %d calls wait for their answers", MaxCalls)
		}
		*t = append((*t)[:0], (*t)[1:]...)
	}
	*t = append(*t, k)
	return nil
}

func (t *calls) remove(k *Call) {
	for i := range *t {
		if (*t)[i] == k {
			last := len(*t) - 1
			(*t)[i], (*t)[last] = (*t)[last], nil
			*t = (*t)[:last]
			break
		}
	}
	if len(*t) == 0 {
		*t = nil
	}
}
