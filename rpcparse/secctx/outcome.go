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
	NoPAC       // the ticket was opened and names no user
	BadPAC      // its PAC cannot be trusted or read
	Unproven    // the server did not show that it accepted this ticket
)

var resultNames = [...]string{
	Pending: "pending", KeyFound: "key_found", NoKey: "no_key", WrongVersion: "wrong_kvno",
	Undecryptable: "undecryptable", Malformed: "malformed", Refused: "refused", Unsupported: "unsupported",
	NoPAC: "no_pac", BadPAC: "bad_pac", Unproven: "unproven",
}

// String returns the result as logs and metrics name it.
func (r Result) String() string {
	if int(r) < len(resultNames) {
		return resultNames[r]
	}
	return "unknown"
}

// LacksKey reports whether the reason is that the proxy has no key for what the
// client presented, which may be genuine.
func (r Result) LacksKey() bool { return r == NoKey || r == WrongVersion || r == Undecryptable }

// Outcome is a result and what an administrator needs to know about it: for a
// wrong version, which one the ticket has and which the keytab.
type Outcome struct {
	Result Result
	Detail string // never key material
}

// Unreadable are the results for which a user who authenticated is not known.
var Unreadable = []Result{NoKey, WrongVersion, Undecryptable, Malformed, Unsupported, NoPAC, BadPAC, Unproven}

// Identity is whom a ticket names.
type Identity struct {
	SID    string   // of the user
	Groups []string // SIDs of groups

	// Names are for people and for rules by name; they may hold any character.
	Domain    string // NetBIOS name of the account's domain
	DNSDomain string // its DNS name
	User      string // sAMAccountName
	UPN       string // user principal name
	Foreign   bool   // the names are those that another realm than the server's says
}

// size is about how many bytes i takes.
func (i *Identity) size() (n int) {
	const header = 16 // of a string
	for _, g := range i.Groups {
		n += header + len(g)
	}
	return n + len(i.SID) + len(i.Domain) + len(i.DNSDomain) + len(i.User) + len(i.UPN)
}
