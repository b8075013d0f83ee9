package backend

import (
	"time"

	"github.com/miekg/dns"
)

// answers are the records of one type that answer a question for a name.
type answers[T dns.RR] struct {
	list []T
	ttl  time.Duration // the smallest of the records used, aliases included; maxTTL without records
}

// answersOf follows the aliases of name among records, and returns the records
// of type T at their end. It ignores records of other names, which were not asked
// for.
func answersOf[T dns.RR](records []dns.RR, name string) answers[T] {
	a := answers[T]{ttl: maxTTL}
	name = dns.CanonicalName(name)
	for range maxAliases {
		next := ""
		for _, rr := range records {
			h := rr.Header()
			if h.Class != dns.ClassINET || dns.CanonicalName(h.Name) != name {
				continue
			}
			if found, ok := rr.(T); ok {
				a.list = append(a.list, found)
				a.lower(h.Ttl)
			} else if alias, ok := rr.(*dns.CNAME); ok {
				next = dns.CanonicalName(alias.Target)
				a.lower(h.Ttl)
			}
		}
		if len(a.list) > 0 || next == "" {
			return a
		}
		name = next
	}
	return a
}

// lower takes the TTL of one record into account. Values with the highest bit set mean 0
// (RFC 2181 8).
func (a *answers[T]) lower(ttl uint32) {
	if ttl > 1<<31-1 {
		ttl = 0
	}
	a.ttl = min(a.ttl, time.Duration(ttl)*time.Second)
}
