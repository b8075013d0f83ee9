// Package verdict is what a decision on one PDU may say. Package inspect decides,
// package relay carries it out, and neither knows the other.
package verdict

// Action is what becomes of one PDU.
type Action uint8

// The actions.
const (
	// Forward sends the PDU on to the other side.
	Forward Action = iota
	// Drop discards it. Verdict.ToClient may be the proxy's own answer to it.
	Drop
	// Hold makes the PDU pending: it, and everything that follows it from its side,
	// waits until the connection is woken. The other direction goes on, and may have
	// a pending PDU of its own. There is no time limit: who says Hold must see to the
	// wake.
	Hold
	// Close discards the PDU and everything that follows in both directions, and
	// ends both streams after the bytes already accepted and the injected PDUs. What
	// the peers still send is discarded for some time. The connection is not reset,
	// because that could destroy an answer on its way.
	Close
)

// String returns the action as logs name it.
func (a Action) String() string {
	switch a {
	case Forward:
		return "forward"
	case Drop:
		return "drop"
	case Hold:
		return "hold"
	case Close:
		return "close"
	}
	return "unknown"
}

// Verdict is a decision on one PDU. The zero value forwards it.
type Verdict struct {
	Action Action
	// ToClient and ToServer are whole PDUs that are sent in this PDU's place of the
	// stream (after it, with Forward), each by a write of its own. They are valid
	// until the next call of the handler that gave the verdict.
	ToClient, ToServer []byte
	// Err is the reason of Close.
	Err error
}

// Forwards reports whether the PDU is forwarded and nothing else happens, which is
// the common case.
func (v *Verdict) Forwards() bool {
	return v.Action == Forward && len(v.ToClient) == 0 && len(v.ToServer) == 0
}
