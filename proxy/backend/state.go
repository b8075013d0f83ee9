package backend

import "fmt"

// State is what is known of a domain controller's health.
type State uint8

// The states, the best first. See the table in doc.go.
const (
	// Serving is also the state of a domain controller that has not been checked
	// yet.
	Serving State = iota
	// NotServing: it accepts connections, but NSPI does not answer as it should.
	NotServing
	// Unreachable: connections to it fail.
	Unreachable
)

// String returns "serving", "not_serving" or "unreachable".
func (s State) String() string {
	switch s {
	case Serving:
		return "serving"
	case NotServing:
		return "not_serving"
	case Unreachable:
		return "unreachable"
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}
