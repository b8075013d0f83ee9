package capture

import "container/heap"

// order gives PDUs out in the order of the frames that complete them. They are
// found out of order only behind a hole: whether a PDU there was complete with
// an early frame shows when the hole is given up.
type order struct {
	held heldPDUs
	seq  int // of the PDU added last
	cost int // of what is held, in bytes
}

type heldPDU struct {
	pdu PDU
	seq int
}

func (o *order) add(p PDU) {
	o.seq++
	o.cost += len(p.Bytes) + pduOverhead
	heap.Push(&o.held, heldPDU{pdu: p, seq: o.seq})
}

// take returns the next PDU whose frame is before horizon.
func (o *order) take(horizon int) (*PDU, bool) {
	if len(o.held) == 0 || o.held[0].pdu.Frame >= horizon {
		return nil, false
	}
	p := heap.Pop(&o.held).(heldPDU).pdu
	o.cost -= len(p.Bytes) + pduOverhead
	return &p, true
}

// heldPDUs is a heap by frame, then by the order of adding.
type heldPDUs []heldPDU

func (h heldPDUs) Len() int { return len(h) }
func (h heldPDUs) Less(i, j int) bool {
	if h[i].pdu.Frame != h[j].pdu.Frame {
		return h[i].pdu.Frame < h[j].pdu.Frame
	}
	return h[i].seq < h[j].seq
}
func (h heldPDUs) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push and Pop implement heap.Interface.
func (h *heldPDUs) Push(x any) { *h = append(*h, x.(heldPDU)) }

// Pop removes the last element.
func (h *heldPDUs) Pop() any {
	last := len(*h) - 1
	p := (*h)[last]
	(*h)[last] = heldPDU{}
	*h = (*h)[:last]
	return p
}
