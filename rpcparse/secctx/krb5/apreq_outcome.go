package krb5

import "fmt"

// Result says how the look for a key ended.
type Result uint8

// The results of opening an AP-REQ. None of them disturbs the connection: the
// server is the judge of tickets.
const (
	// KeyFound: a key opened the ticket.
	KeyFound Result = iota + 1
	// NoKeyForPrincipal: the keytab has no key of the ticket's encryption type
	// for the service of the ticket, and no other key opens it.
	NoKeyForPrincipal
	// WrongKvno: the keytab has keys of that service, but of other versions,
	// and none opens the ticket: the password has been changed since.
	WrongKvno
	// Undecryptable: the keytab has the very key that the ticket names, and it
	// does not open it.
	Undecryptable
	// Malformed: what was sent is no AP-REQ that a server would take.
	Malformed
)

// String returns the result as logs and metrics name it.
func (r Result) String() string {
	switch r {
	case KeyFound:
		return "key_found"
	case NoKeyForPrincipal:
		return "no_key"
	case WrongKvno:
		return "wrong_kvno"
	case Undecryptable:
		return "undecryptable"
	case Malformed:
		return "malformed"
	}
	return fmt.Sprintf("result(%d)", uint8(r))
}

// An Outcome tells an administrator what became of one AP-REQ. It holds no key
// material, but names that a client chose: they are printed quoted.
type Outcome struct {
	Result      Result
	Service     string   // principal the ticket is for, as the client sent it; empty when malformed
	Etype       int32    // encryption type of the ticket
	Kvno        uint32   // key version number that the ticket names, 0 when it names none
	KeytabKvnos []uint32 // versions that the keytab has of that service and encryption type, ascending
	Key         string   // with KeyFound: the entry of the keytab that opened it
	Err         error    // with Undecryptable and Malformed: why
}

// String tells the outcome in one line.
func (o Outcome) String() string {
	switch o.Result {
	case KeyFound:
		return fmt.Sprintf("%s: ticket for %q opened with %s", o.Result, o.Service, o.Key)
	case NoKeyForPrincipal:
		return fmt.Sprintf("%s: the keytab has no key for %q of encryption type %d", o.Result, o.Service, o.Etype)
	case WrongKvno:
		return fmt.Sprintf("%s: the ticket for %q has kvno %d, the keytab %d", o.Result, o.Service, o.Kvno, o.KeytabKvnos)
	case Undecryptable:
		return fmt.Sprintf("%s: ticket for %q, kvno %d, encryption type %d: %v", o.Result, o.Service, o.Kvno, o.Etype, o.Err)
	}
	return fmt.Sprintf("%s: %v", o.Result, o.Err)
}
