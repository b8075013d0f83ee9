package session

import (
	"fmt"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Assurance says how well an [Identity] is known. A higher value is better.
type Assurance uint8

// The levels of assurance.
const (
	// AssuranceAddress: nothing is known but the client's address.
	AssuranceAddress Assurance = iota
	// AssuranceClaimed: an NTLM name, not looked up in the directory.
	AssuranceClaimed
	// AssuranceResolved: an NTLM name and the SID that the directory has for it.
	AssuranceResolved
	// AssuranceVerified: the SID of a Kerberos ticket that was opened.
	AssuranceVerified
)

// String returns the level as logs and listings name it.
func (a Assurance) String() string {
	switch a {
	case AssuranceAddress:
		return "address"
	case AssuranceClaimed:
		return "claimed"
	case AssuranceResolved:
		return "resolved"
	case AssuranceVerified:
		return "verified"
	}
	return fmt.Sprintf("assurance(%d)", uint8(a))
}

// Identity is whom a session is charged to.
type Identity struct {
	Assurance Assurance
	SID       string     // S-1-..., from AssuranceResolved on
	Account   string     // DOMAIN\user as the client wrote it, from AssuranceClaimed on; from the network: escape it
	Address   netip.Addr // the client's address
}

// Key returns what sessions are counted by: the SID if it is known, else the
// account without regard to case, else the address. Fields above the assurance are
// not used. Keys of different kinds differ in their prefix, so an account that is
// spelled like a SID is not that SID.
func (i Identity) Key() string {
	switch {
	case i.hasSID():
		return "sid:" + fold(i.SID)
	case i.hasAccount():
		return "account:" + fold(i.Account)
	}
	return "address:" + i.Address.Unmap().String()
}

func (i *Identity) hasSID() bool     { return i.Assurance >= AssuranceResolved && i.SID != "" }
func (i *Identity) hasAccount() bool { return i.Assurance >= AssuranceClaimed && i.Account != "" }

// alike reports whether i and o are written the same, and so have the same key.
// It is cheap, but not exact: spellings that differ may have the same key.
func (i *Identity) alike(o *Identity) bool {
	if i.Assurance != o.Assurance || i.SID != o.SID || i.Account != o.Account {
		return false
	}
	return i.hasSID() || i.hasAccount() || i.Address == o.Address
}

// String returns the name to show: account, SID or address, whichever is known
// first. It may hold text from the network.
func (i Identity) String() string {
	switch {
	case i.Account != "":
		return i.Account
	case i.SID != "":
		return i.SID
	}
	return i.Address.Unmap().String()
}

// fold maps s by Unicode simple case folding: fold(a) == fold(b) if and only if
// strings.EqualFold(a, b). Text that is folded already is returned unchanged.
func fold(s string) string {
	for i := range len(s) {
		if c := s[i]; c >= utf8.RuneSelf || 'a' <= c && c <= 'z' {
			return strings.Map(foldRune, s)
		}
	}
	return s
}

// foldRune returns the smallest rune that r folds with.
func foldRune(r rune) rune {
	if r < utf8.RuneSelf {
		if 'a' <= r && r <= 'z' {
			r -= 'a' - 'A'
		}
		return r
	}
	least := r
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		least = min(least, f)
	}
	return least
}
