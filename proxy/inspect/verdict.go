package inspect

import "github.com/nspiproxy/nspiproxy/proxy/verdict"

// Verdict is a decision on one PDU.
type Verdict = verdict.Verdict

// Action is what becomes of the PDU.
type Action = verdict.Action

// The actions.
const (
	Forward = verdict.Forward
	Drop    = verdict.Drop
	Hold    = verdict.Hold
	Close   = verdict.Close
)

// closing ends the connection because of err.
func closing(err error) Verdict { return Verdict{Action: Close, Err: err} }
