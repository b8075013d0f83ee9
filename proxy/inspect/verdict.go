package inspect

// Action is what becomes of one PDU.
type Action uint8

// The actions.
const (
	// Forward sends the PDU on to the other side.
	Forward Action = iota
	// Drop forgets it. With Verdict.ToClient the proxy has answered it.
	Drop
	// Hold keeps the PDU, and all that follows it from its side, until Conn.Wake.
	Hold
	// Close drops the PDU and ends the connection on both sides, after what
	// ToClient says.
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
	// ToClient and ToServer are whole PDUs that are sent in this PDU's place of
	// the stream; after it, with Forward. They belong to the inspector and are
	// valid until its next call.
	ToClient, ToServer []byte
	// Err says why, with Close.
	Err error
}

// closing ends the connection because of err.
func closing(err error) Verdict { return Verdict{Action: Close, Err: err} }
