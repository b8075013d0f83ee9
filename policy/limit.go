package policy

import "strconv"

// Limit is how many sessions a user may hold at a time on one backend, or on all
// of them ([Scope]).
// 0 allows none. Every negative value means [Unlimited].
type Limit int

// Unlimited is the limit that is never reached.
const Unlimited Limit = -1

// DefaultLimit is what a domain controller allows by default (KB 949469).
const DefaultLimit Limit = 50

// maxLimit bounds what the configuration may ask for. The registry value of a
// domain controller goes to 2^32-1, but each session costs it a page of memory:
// whoever needs more than a million means unlimited.
const maxLimit = 1_000_000

// IsUnlimited reports whether the limit is never reached.
func (l Limit) IsUnlimited() bool { return l < 0 }

// Reached reports whether a user who holds current sessions may not have
// another one.
func (l Limit) Reached(current int) bool { return !l.IsUnlimited() && current >= int(l) }

// String returns the limit as the configuration writes it.
func (l Limit) String() string {
	if l.IsUnlimited() {
		return "unlimited"
	}
	return strconv.Itoa(int(l))
}
