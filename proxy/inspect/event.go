package inspect

import (
	"net/netip"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
	"github.com/nspiproxy/nspiproxy/session"
)

// Events takes what inspectors, and those who drive them, report. It is called
// on loops and must not wait.
type Events interface {
	Report(Event)
	// Verbose tells whether events without news are wanted: a connection that its
	// peers have ended. Ask before such an event is made, so that it costs nothing
	// where no log record comes of it.
	Verbose() bool
}

// Event is one of the types of this file. It is a plain value that keeps no
// buffer of the connection. Text in it may be from the network and must be
// shortened and escaped before it is shown.
type Event interface{ event() }

// Source says on which connection an event happened.
type Source struct {
	Client  netip.AddrPort
	Backend string // name of the domain controller
}

// BindAnswered is the domain controller's answer to an NspiBind that was
// forwarded.
type BindAnswered struct {
	Source
	Result  AnswerResult
	Account string // as the client claims; empty: no name
	// LogonFailed tells that a client which did authenticate was answered with
	// MAPI_E_LOGON_FAILED: the domain controller's own limit is reached, or it has
	// another reason.
	LogonFailed bool
}

// UnbindAnswered is the domain controller's answer to an NspiUnbind.
type UnbindAnswered struct {
	Source
	Result AnswerResult
}

// AnswerResult says what an answer of a domain controller means.
type AnswerResult string

// The results, as labels of metrics.
const (
	ResultGranted   AnswerResult = "granted"
	ResultFailed    AnswerResult = "failed"    // the method returned an error
	ResultFaulted   AnswerResult = "faulted"   // the runtime answered with a fault
	ResultAnonymous AnswerResult = "anonymous" // MAPI_E_LOGON_FAILED without authentication: a client's normal first step
)

// LimitExceeded is an NspiBind at or over its user's limit: it was refused, or
// forwarded because the rule only watches.
type LimitExceeded struct {
	Source
	User        session.Identity
	Decision    policy.Decision
	Answer      AnswerForm // empty: forwarded
	CallID      uint32
	Level       rpcparse.AuthLevel
	Workstation string // as the client claims
	Unread      string // with AssuranceUnreadable: why
}

// AnswerForm is how a refusal was put.
type AnswerForm string

// The forms, as the log names them.
const (
	AnswerLogonFailed AnswerForm = "logon_failed"
	AnswerFault       AnswerForm = "fault"
)

// Violation is a PDU that broke a rule of the protocol and ended the connection.
type Violation struct {
	Source
	Type   rpcparse.PType
	Header string // of the PDU, in hexadecimal: it holds no stub and no token
	Err    error
}

// Irregular is a client's PDU that broke a rule and was left to the domain
// controller's judgement.
type Irregular struct{ Err error }

// AssociationRefused is a bind that named an association in which the client has
// no part.
type AssociationRefused struct {
	Source
	ID  uint32 // assoc_group_id
	Err error
}

// KeyOutcome says how far a security context could be followed with the keys at
// hand.
type KeyOutcome struct {
	Source
	Outcome secctx.Outcome
}

// IdentityUnreadable is a user who has authenticated with something that could not
// be read. It is reported at the first NspiBind of a security context.
type IdentityUnreadable struct {
	Source
	Mechanism rpcparse.Mechanism
	Why       secctx.Outcome // Result is one of [secctx.Unreadable]
}

// Unverified is a PDU whose signature is wrong, left to its receiver's judgement.
type Unverified struct{}

// EndpointsUnchanged is an endpoint mapper's answer, or a tower of it, that
// passed as it was.
type EndpointsUnchanged struct {
	Source
	Reason EndpointReason
}

// Referral is an answer that refers a client to a server.
type Referral struct {
	Source
	Result ReferralResult
	Server string // that the client was referred to, with ReferralElsewhere
	Reason string // why it was not rewritten, with ReferralElsewhere
	Err    error  // with ReferralMalformed
}

// NotRPC is a connection that does not carry DCE/RPC and passes unseen, as
// configured.
type NotRPC struct{ Source }

// Closed is the end of a connection.
type Closed struct {
	Client netip.AddrPort
	// Backend is where the connection went, or Listener where it came from if it
	// went nowhere.
	Backend, Listener string
	Cause             string // one of a small set
	Err               error  // the evidence
	// Ordinary tells that the peers ended it, or that its reason has an event of
	// its own.
	Ordinary bool
}

func (BindAnswered) event()       {}
func (UnbindAnswered) event()     {}
func (LimitExceeded) event()      {}
func (Violation) event()          {}
func (Irregular) event()          {}
func (AssociationRefused) event() {}
func (KeyOutcome) event()         {}
func (IdentityUnreadable) event() {}
func (Unverified) event()         {}
func (EndpointsUnchanged) event() {}
func (Referral) event()           {}
func (NotRPC) event()             {}
func (Closed) event()             {}
