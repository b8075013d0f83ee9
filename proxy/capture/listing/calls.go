package listing

import "github.com/nspiproxy/nspiproxy/rpcparse"

// maxCalls is how many calls of one connection are remembered after their
// requests, the oldest being forgotten first: as many as a conversation follows.
const maxCalls = rpcparse.MaxCalls

// call is what rows of answers show of their request.
type call struct {
	opnum  uint16
	iface  string
	object string
	frame  int  // of the first fragment
	bound  bool // its context was offered by a bind, accepted or not
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
	old, known := t.byID[id]
	if known && old.bound && !c.bound {
		return // a call of an unknown context does not replace one of a known context
	}
	if !known {
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
	case rpcparse.PTypeBind, rpcparse.PTypeAlterContext:
		c.offer(r.Contexts)
	case rpcparse.PTypeRequest:
		c.request(r)
	case rpcparse.PTypeResponse, rpcparse.PTypeFault:
		c.answer(r)
	}
	r.Operation = operationName(r.Interface, r.Opnum)
}

func (c *connection) offer(contexts []Context) {
	if c.offered == nil {
		c.offered = make(map[uint16]bool)
	}
	for i := range contexts {
		c.offered[contexts[i].ID] = true
	}
}

func (c *connection) request(r *Row) {
	if r.ContextID == nil {
		return
	}
	if p := c.conversation.Context(*r.ContextID); p != nil {
		r.Interface = p.Abstract.UUID.String()
	}
	if r.first {
		c.calls.put(r.CallID, call{
			opnum: *r.Opnum, iface: r.Interface, object: r.Object,
			frame: r.Frame, bound: c.offered[*r.ContextID],
		})
	}
}

// answer adds what is known of the request. Its opnum means nothing where the
// interface is not known; tshark does not show it then, either.
func (c *connection) answer(r *Row) {
	known, ok := c.calls.byID[r.CallID]
	if !ok {
		return
	}
	r.RequestFrame, r.Interface = known.frame, known.iface
	if known.bound {
		r.Opnum, r.Object = &known.opnum, known.object
	}
}
