package krb5

import (
	"cmp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/oiweiwei/gokrb5.fork/v9/iana/keyusage"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// How many keys are tried on one ticket as long as it is not known which account
// is the server's. One costs some 2 µs, whatever the size of the ticket, and an
// event loop waits: so all keys are tried on one ticket in searchInterval, and on
// the others only the likeliest, which are those of the host that the ticket names.
const (
	maxCandidates  = 16
	maxVersions    = 256 // of one account's key
	maxSearch      = 1024
	searchInterval = 2 * time.Second
)

// kvnoUnknown is the key version number of a ticket that does not tell.
const kvnoUnknown = 0

// rodcMask keeps the lower half of a key version number: a read-only domain controller puts its number into the upper half
// of its key version numbers (MS-KILE 3.1.5.8).
const rodcMask = 0xffff

// account is the computer account that a key is of: its realm and its name without
// the dollar sign, in lower case. The zero value is no computer account.
type account struct{ realm, host string }

// Service has the keys that may open tickets for one server: those of its own
// computer account. Any other key vouches for its owner's inventions, because the
// owner can make tickets with it. The account is the one of the host name that the
// server is known by; where the keytab has none of that name, the first whose key
// has opened a ticket that the server has answered.
//
// What a ticket says of itself in clear, its service, realm and key version number,
// is the client's choice: it orders the keys and excludes none.
//
// A Service may be used by any number of goroutines.
type Service struct {
	entries  []Entry // of computer accounts
	own      atomic.Pointer[account]
	searched atomic.Int64 // when all keys were tried last, in Unix nanoseconds
}

// Service returns the keys for the server of that DNS name, which may be empty. It
// is nil if the keytab has no key of a computer account.
func (kt *Keytab) Service(host string) *Service {
	s := &Service{}
	if kt != nil {
		for _, e := range kt.entries {
			if e.computer != (account{}) {
				s.entries = append(s.entries, e)
			}
		}
	}
	if len(s.entries) == 0 {
		return nil
	}
	s.own.Store(s.accountOf(host))
	return s
}

// Computers returns how many computer accounts the keytab has keys of.
func (kt *Keytab) Computers() int {
	seen := map[account]bool{}
	for _, e := range kt.Entries() {
		if a := e.computer; a != (account{}) {
			seen[a] = true
		}
	}
	return len(seen)
}

// Known reports whether it is known which account is the server's.
func (s *Service) Known() bool { return s != nil && s.own.Load() != nil }

// Confirm notes that the server has answered an AP-REQ with an AP-REP that the
// ticket's session key opens: the key that opened the ticket is the server's.
func (s *Service) Confirm(in *Initiated) {
	if s.own.Load() == nil {
		s.own.CompareAndSwap(nil, &in.account)
	}
}

// accountOf returns the account of a host name, or nil: there is none, or one in
// each of several realms.
func (s *Service) accountOf(host string) *account {
	name, domain, _ := strings.Cut(strings.ToLower(host), ".")
	var found []account
	for _, e := range s.entries {
		a := e.computer
		if a.host != name || slices.Contains(found, a) {
			continue
		}
		if a.realm == domain {
			return &a
		}
		found = append(found, a)
	}
	if len(found) != 1 {
		return nil
	}
	return &found[0]
}

// candidates returns the keys of that encryption type to try, the likeliest first:
// those of the server's account where it is known, else those of the host that the
// ticket names and then others.
func (s *Service) candidates(realm string, sname []string, etype int32, kvno uint32) []Entry {
	if s == nil {
		return nil
	}
	near := account{strings.ToLower(realm), hostOf(sname)}
	own := s.own.Load()
	if own != nil {
		near = *own
	}
	var found, others []Entry
	for i := range s.entries {
		switch e := &s.entries[i]; {
		case e.Etype != etype:
		case e.computer == near && len(found) < maxVersions:
			found = append(found, *e)
		case own == nil && len(others) < maxSearch:
			others = append(others, *e)
		}
	}
	if most := max(0, maxCandidates-len(found)); len(others) > most && !s.maySearch() {
		others = others[:most]
	}
	sortEntries(found, near.realm, kvno)
	sortEntries(others, near.realm, kvno)
	return slices.CompactFunc(append(found, others...), func(a, b Entry) bool { return slices.Equal(a.key().Value, b.key().Value) })
}

// sortEntries puts keys of the realm in front of others, the version asked for
// before others, newer before older.
func sortEntries(list []Entry, realm string, kvno uint32) {
	inRealm := func(e *Entry) int {
		if e.computer.realm == realm {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(list, func(a, b Entry) int {
		return cmp.Or(
			-cmp.Compare(inRealm(&a), inRealm(&b)),
			-cmp.Compare(a.versionMatch(kvno), b.versionMatch(kvno)),
			-cmp.Compare(a.Kvno, b.Kvno),
		)
	})
}

// maySearch reports whether all keys may be tried now, and notes that they are.
func (s *Service) maySearch() bool {
	last, now := s.searched.Load(), sinceStart()
	return (last == 0 || now-last >= int64(searchInterval)) && s.searched.CompareAndSwap(last, now)
}

// start is when the program began. Times since then do not change when the clock is set.
var start = time.Now()

// sinceStart is in nanoseconds, and never 0.
func sinceStart() int64 {
	return int64(time.Since(start)) + 1
}

// openTicket tries keys on a ticket, the likeliest first. plain is nil when
// none fits; err is the first, and so the likeliest, key's.
func (s *Service) openTicket(r *request) (plain []byte, with Entry, err error) {
	for _, e := range s.candidates(r.realm, r.service, r.ticket.EType, uint32(r.ticket.KVNO)) {
		plain, failed := openWith(r, e.key())
		if failed == nil {
			return plain, e, nil
		}
		if err == nil {
			err = failed
		}
	}
	return nil, Entry{}, err
}

// errOtherKey is the error of a key that a look at the ticket's beginning excludes.
var errOtherKey = wire.Errorf(wire.ClassAuth, nameIntegrity, 0, "the key does not open the ticket")

func openWith(r *request, key Key) ([]byte, error) {
	if !mayOpen(r.ticket.Cipher, key) {
		return nil, errOtherKey
	}
	return Decrypt(r.ticket, key, keyusage.KDC_REP_TICKET, "ticket")
}

// unopened says why none of the keys opened a ticket of this service.
func (s *Service) unopened(o Outcome, realm string, sname []string, err error) Outcome {
	match := false
	for _, e := range s.candidatesOfName(realm, sname) {
		if e.Etype != o.Etype {
			continue
		}
		o.KeytabKvnos = append(o.KeytabKvnos, e.Kvno)
		match = match || e.versionMatch(o.Kvno) == 1
	}
	slices.Sort(o.KeytabKvnos)
	o.KeytabKvnos = slices.Compact(o.KeytabKvnos)
	switch {
	case len(o.KeytabKvnos) == 0:
		o.Result = NoKeyForPrincipal
	case !match:
		o.Result = WrongKvno
	default:
		o.Result, o.Err = Undecryptable, err
	}
	return o
}

// candidatesOfName returns the keys of the server's account where it is known, else
// those of the host that a ticket names.
func (s *Service) candidatesOfName(realm string, sname []string) (found []Entry) {
	if s == nil {
		return nil
	}
	a := account{strings.ToLower(realm), hostOf(sname)}
	if own := s.own.Load(); own != nil {
		a = *own
	}
	for _, e := range s.entries {
		if e.computer == a {
			found = append(found, e)
		}
	}
	return found
}

// versionMatch is 1 for the version that the ticket names.
func (e *Entry) versionMatch(kvno uint32) int {
	if kvno == kvnoUnknown || e.Kvno == kvno || e.Kvno == kvno&rodcMask {
		return 1
	}
	return 0
}

// computerOf returns the computer account that a principal is of.
func computerOf(name []string, realm string) account {
	if host := hostOf(name); host != "" {
		return account{strings.ToLower(realm), host}
	}
	return account{}
}

// hostOf returns the name of the computer whose account has a principal, up to
// the first dot and in lower case: dc1 for exchangeAB/dc1.example.com and for
// DC1$. It is empty for other accounts.
func hostOf(name []string) string {
	if len(name) == 1 {
		if host, computer := strings.CutSuffix(name[0], "$"); computer {
			return strings.ToLower(host)
		}
		return ""
	}
	if len(name) < 2 {
		return ""
	}
	host, _, _ := strings.Cut(name[1], ".")
	return strings.ToLower(host)
}
