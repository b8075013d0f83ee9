package krb5

import (
	"cmp"
	"slices"
	"strings"
)

// maxNTHashes bounds how many hashes a user may have: versions of a password,
// and users of that name in several domains.
const maxNTHashes = 8

// NTHash returns the NT hash of the account that an NTLM message names, when
// the keytab has an arcfour-hmac key of it, which is that hash (RFC 4757 2):
// the first of [Keytab.NTHashes].
func (kt *Keytab) NTHash(domain, user string) (hash [16]byte, ok bool) {
	if hashes := kt.NTHashes(domain, user); len(hashes) > 0 {
		return hashes[0], true
	}
	return hash, false
}

// NTHashes returns the NT hashes that may be those of an account, the
// likeliest first; the proof in the NTLM message tells which one is. Names
// compare without regard to case. A NetBIOS domain is not a realm, so it only
// orders what is found; a domain with a dot must be the realm. A user name
// with an @ and no domain is a principal, or a name of the directory that a
// keytab does not know.
func (kt *Keytab) NTHashes(domain, user string) [][16]byte {
	if kt == nil || user == "" {
		return nil
	}
	if at := strings.LastIndexByte(user, '@'); domain == "" && at > 0 {
		user, domain = user[:at], user[at+1:]
	}
	var found []Entry
	for _, e := range kt.entries {
		if e.Etype == etypeRC4 && len(e.Name) == 1 && strings.EqualFold(e.Name[0], user) &&
			(!strings.Contains(domain, ".") || strings.EqualFold(e.Realm, domain)) {
			found = append(found, e)
		}
	}
	slices.SortStableFunc(found, func(a, b Entry) int {
		return cmp.Or(-cmp.Compare(a.namedAs(domain), b.namedAs(domain)), -cmp.Compare(a.Kvno, b.Kvno))
	})
	var hashes [][16]byte
	for _, e := range found {
		if h := [16]byte(e.key().Value); !slices.Contains(hashes, h) && len(hashes) < maxNTHashes {
			hashes = append(hashes, h)
		}
	}
	return hashes
}

// namedAs is 1 when domain is the first label of the realm, as it is in most
// forests.
func (e *Entry) namedAs(domain string) int {
	label, _, _ := strings.Cut(e.Realm, ".")
	if strings.EqualFold(label, domain) || strings.EqualFold(e.Realm, domain) {
		return 1
	}
	return 0
}
