package secctx

// Result says how far a handshake could be followed.
type Result uint8

// The results.
const (
	Pending      Result = iota // not over yet
	KeyFound                   // the context's keys are known
	NoKey                      // there is no key for this principal or account
	WrongVersion               // there is one, of another version: the password has changed
	Undecryptable
	Malformed
	Refused     // by the server, before it was over
	Unsupported // a dialect or mechanism without usable keys, NTLMv1 without extended session security for one
)

var resultNames = [...]string{
	Pending: "pending", KeyFound: "key_found", NoKey: "no_key", WrongVersion: "wrong_kvno",
	Undecryptable: "undecryptable", Malformed: "malformed", Refused: "refused", Unsupported: "unsupported",
}

// String returns the result as logs and metrics name it.
func (r Result) String() string {
	if int(r) < len(resultNames) {
		return resultNames[r]
	}
	return "unknown"
}

// Outcome is a result and what an administrator needs to know about it: for a
// wrong version, which one the ticket has and which the keytab.
type Outcome struct {
	Result Result
	Detail string // never key material
}

// Identity is whom a ticket names.
type Identity struct {
	SID     string   // of the user
	Groups  []string // SIDs of groups
	Account string   // for people: DOMAIN\user
}
