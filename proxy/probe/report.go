package probe

import "time"

// The names of the steps, in their order.
const (
	StepCredentials = "credentials" // in a report only if it failed
	StepEPMConnect  = "epm_connect"
	StepMap         = "ept_map"
	StepNSPIConnect = "nspi_connect"
	StepTicket      = "ticket"
	StepRPCBind     = "rpc_bind"
	StepBind        = "nspi_bind"
	StepQuery       = "query"
	StepUnbind      = "nspi_unbind"
)

// Step is one step that was tried.
type Step struct {
	Name     string
	Duration time.Duration
	Detail   string // what was learnt, for people
	Err      string // why it failed, for people; "": it did not
}

// Outcome is a report in a word.
type Outcome string

// The outcomes.
const (
	OutcomeOK = Outcome("ok")
	// OutcomeRefusedLimit: MAPI_E_LOGON_FAILED, for a user who has authenticated.
	// It is the limit of sessions that domain controllers answer so.
	OutcomeRefusedLimit = Outcome("refused_limit")
	// OutcomeAnonymousRefused: MAPI_E_LOGON_FAILED without authentication. That is
	// how a domain controller that serves answers.
	OutcomeAnonymousRefused = Outcome("anonymous_refused")
	// OutcomeUnreachable: no TCP connection.
	OutcomeUnreachable = Outcome("unreachable")
	// OutcomeAuthFailed: no ticket, or the user was not let in. An account that has
	// expired fails on every domain controller, and they serve all the same.
	OutcomeAuthFailed = Outcome("auth_failed")
	// OutcomeNotProbed: a file or a name is missing for the probe
	// itself. Nothing is known of NSPI.
	OutcomeNotProbed = Outcome("not_probed")
	OutcomeFailed    = Outcome("failed") // any other failure
)

// Good reports whether the domain controller did what it is there for.
func (o Outcome) Good() bool { return o == OutcomeOK || o == OutcomeAnonymousRefused }

// Report is what came of a probe. Text in it that the network sent is clipped,
// and all that a terminal may act upon is escaped.
type Report struct {
	Target   string // as it was given
	Auth     Auth
	Level    Level  // "" without authentication
	SPN      string // what it authenticated to; may be ""
	Address  string // IP address of the connections, "" without one
	NSPIPort uint16 // 0: not known
	Entries  uint32 // of the address book, as the query told
	Answered bool   // NSPI answered the query, by whatever return value
	Outcome  Outcome
	Err      string // of the step that failed
	Duration time.Duration
	Steps    []Step
}

// step returns the last step of that name, nil if it was not tried.
func (r Report) step(name string) *Step {
	for i := len(r.Steps) - 1; i >= 0; i-- {
		if r.Steps[i].Name == name {
			return &r.Steps[i]
		}
	}
	return nil
}

// did reports whether the step of that name was tried and good.
func (r Report) did(name string) bool {
	s := r.step(name)
	return s != nil && s.Err == ""
}

// Result is what a health check makes of a report.
type Result struct {
	Reachable bool // TCP connects, to the endpoint mapper or to NSPI
	// Serving: NspiBind and the query were answered by NSPI and the session is
	// closed; or NspiBind was answered by MAPI_E_LOGON_FAILED. The return value of
	// the query does not matter: an empty forest has no address book.
	Serving bool
	Limited bool // MAPI_E_LOGON_FAILED for an authenticated user
	// NotProbed: the probe lacked a file, or its user was not let in,
	// which says nothing about the domain controller but what Reachable says.
	NotProbed bool
	Err       string
	Duration  time.Duration
}

// Result sums r up.
func (r Report) Result() Result {
	return Result{
		Reachable: r.did(StepEPMConnect) || r.did(StepNSPIConnect),
		Serving:   r.Answered && r.did(StepUnbind) || r.Outcome == OutcomeRefusedLimit || r.Outcome == OutcomeAnonymousRefused,
		Limited:   r.Outcome == OutcomeRefusedLimit,
		NotProbed: r.Outcome == OutcomeNotProbed || r.Outcome == OutcomeAuthFailed,
		Err:       r.Err,
		Duration:  r.Duration,
	}
}
