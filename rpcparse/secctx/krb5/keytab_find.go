package krb5

import (
	"cmp"
	"slices"
	"strings"
)

// maxCandidates bounds how many keys are tried on one ticket: trying one costs
// some 30 µs for a ticket of 2 KiB, and an event loop waits. The keys of the
// principal and of its account come first, so a keytab with all domain
// controllers of a forest is not too large.
const maxCandidates = 16

// kvnoUnknown is the key version number of a ticket that does not tell.
const kvnoUnknown = 0

// rodcMask keeps the lower half of a key version number: a read-only domain controller puts its number into the upper half
// of its key version numbers (MS-KILE 3.1.5.8).
const rodcMask = 0xffff

// relation says how near a key is to the principal of a ticket; nearer ones
// are greater.
type relation int

const (
	stranger  relation = iota
	sameRealm          // another account of that realm
	sameHost           // another service name or the computer account of that host
	itself             // the principal
)

// Find returns the keys that may open a ticket for the service sname of realm,
// the likeliest first: keys of that principal, then of its host (a computer
// account has one key for all its service names, and keytabs name any of
// them), then any other of that encryption type; the version asked for before
// others, newer before older. kvno 0 stands for unknown.
func (kt *Keytab) Find(realm string, sname []string, etype int32, kvno uint32) []Entry {
	if kt == nil {
		return nil
	}
	var found []Entry
	for _, e := range kt.entries {
		if e.Etype == etype {
			found = append(found, e)
		}
	}
	slices.SortStableFunc(found, func(a, b Entry) int {
		return cmp.Or(
			-cmp.Compare(a.relation(realm, sname), b.relation(realm, sname)),
			-cmp.Compare(a.versionMatch(kvno), b.versionMatch(kvno)),
			-cmp.Compare(a.Kvno, b.Kvno),
		)
	})
	found = slices.CompactFunc(found, func(a, b Entry) bool { return slices.Equal(a.key().Value, b.key().Value) })
	return found[:min(len(found), maxCandidates)]
}

// relation to the principal of a ticket.
func (e *Entry) relation(realm string, sname []string) relation {
	switch {
	case !strings.EqualFold(e.Realm, realm):
		return stranger
	case slices.EqualFunc(e.Name, sname, strings.EqualFold):
		return itself
	case hostOf(e.Name) != "" && strings.EqualFold(hostOf(e.Name), hostOf(sname)):
		return sameHost
	}
	return sameRealm
}

// versionMatch is 1 for the version that the ticket names.
func (e *Entry) versionMatch(kvno uint32) int {
	if kvno == kvnoUnknown || e.Kvno == kvno || e.Kvno == kvno&rodcMask {
		return 1
	}
	return 0
}

// hostOf returns the name of the computer whose account has a principal, up to
// the first dot: dc1 for exchangeAB/dc1.example.com and for DC1$. It is empty
// for other accounts.
func hostOf(name []string) string {
	if len(name) == 1 {
		if host, computer := strings.CutSuffix(name[0], "$"); computer {
			return host
		}
		return ""
	}
	if len(name) < 2 {
		return ""
	}
	host, _, _ := strings.Cut(name[1], ".")
	return host
}
