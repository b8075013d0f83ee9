package listing

import "github.com/nspiproxy/nspiproxy/rpcparse"

// maxCalls is how many calls of one connection are remembered after their
// requests, the oldest being forgotten first: as many as a conversation follows.
const maxCalls = rpcparse.MaxCalls

// call is what rows of answers tell about their request.
type call struct {
	opnum uint16
	iface string
	frame int
}

// callTable remembers requests by call id, answered ones as well: a response
// may have many fragments, and another PDU may follow it.
type callTable struct {
	byID map[uint32]call
	ids  []uint32 // oldest first, each once
}

func (t *callTable) put(id uint32, c call) {
	if t.byID == nil {
		t.byID = make(map[uint32]call)
	}
	if _, known := t.byID[id]; !known {
		if len(t.ids) >= maxCalls {
			delete(t.byID, t.ids[0])
			t.ids = t.ids[1:]
		}
		t.ids = append(t.ids, id)
	}
	t.byID[id] = c
}

// match completes the rows of requests and of what answers them.
func (c *connection) match(r *Row) {
	switch r.ptype {
	case rpcparse.PTypeRequest:
		if r.ContextID == nil || r.Opnum == nil {
			return
		}
		if p := c.conversation.Context(*r.ContextID); p != nil {
			r.Interface = p.Abstract.UUID.String()
		}
		if r.first {
			c.calls.put(r.CallID, call{opnum: *r.Opnum, iface: r.Interface, frame: r.Frame})
		}
	case rpcparse.PTypeResponse, rpcparse.PTypeFault:
		known, ok := c.calls.byID[r.CallID]
		if !ok {
			return
		}
		r.Opnum, r.Interface, r.RequestFrame = &known.opnum, known.iface, known.frame
	default:
		return
	}
	r.Operation = operationName(r.Interface, r.Opnum)
}
