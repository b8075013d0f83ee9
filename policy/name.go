package policy

import (
	"strings"

	"github.com/nspiproxy/nspiproxy/internal/fold"
)

// Name is the name of an account in parts, as far as they are known. Each may
// hold any character.
type Name struct {
	Domain    string // NetBIOS name of its domain
	DNSDomain string // DNS name of its domain
	User      string // sAMAccountName; empty: there is no name
	UPN       string // user principal name
}

// foldBuffer is the room that Match keeps on its stack for a folded account, in
// bytes. NetBIOS names give at most 36 characters, a DNS domain and a user name of
// the schema's longest 511; the rest is ample for a user principal name. Longer
// names, which clients may send, cost an allocation.
const foldBuffer = 1024

// foldedName is an account in the form in which patterns see it: its parts as
// package fold compares them.
type foldedName struct {
	domain, dnsDomain, user []byte
	prefix, suffix          []byte // of the user principal name; suffix nil: it has none
}

// folded folds a into buf, which should have foldBuffer bytes.
func (a *Name) folded(buf []byte) (f foldedName) {
	part := func(s string) []byte {
		start := len(buf)
		buf = fold.Append(buf, s)
		return buf[start:len(buf):len(buf)]
	}
	f.domain, f.dnsDomain, f.user = part(a.Domain), part(a.DNSDomain), part(a.User)
	upn := a.UPN
	if upn == "" {
		upn = a.User // it may be one that no directory knows
	}
	if at := strings.LastIndexByte(upn, '@'); at >= 0 {
		f.prefix, f.suffix = part(upn[:at]), part(upn[at+1:])
	}
	return f
}
