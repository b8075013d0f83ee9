package session

import (
	"fmt"
	"net/netip"
	"strconv"

	"github.com/nspiproxy/nspiproxy/internal/fold"
)

// Assurance says how well an [Identity] is known. A higher value is better.
type Assurance uint8

// The levels of assurance.
const (
	// AssuranceAddress: nothing is known but the client's address.
	AssuranceAddress Assurance = iota
	// AssuranceUnreadable: the client has authenticated with something that could
	// not be read.
	AssuranceUnreadable
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
	case AssuranceUnreadable:
		return "unreadable"
	case AssuranceClaimed:
		return "claimed"
	case AssuranceResolved:
		return "resolved"
	case AssuranceVerified:
		return "verified"
	}
	return fmt.Sprintf("assurance(%d)", uint8(a))
}

// Account is the name of an account. Its parts may be from the network, and hold
// any character: a separator in a part is part of that.
type Account struct {
	Domain string // NetBIOS name of the domain that the account is of
	User   string // sAMAccountName, or a user principal name that no directory knows
}

// IsZero reports whether there is no name.
func (a Account) IsZero() bool { return a == Account{} }

// String returns DOMAIN\user, or the user alone without a domain, for people.
func (a Account) String() string {
	if a.Domain == "" {
		return a.User
	}
	return a.Domain + `\` + a.User
}

// key is the same for all spellings of one account, and for no other's: what the
// first part has is said before it.
func (a Account) key() string {
	domain := fold.String(a.Domain)
	return "account:" + strconv.Itoa(len(domain)) + ":" + domain + `\` + fold.String(a.User)
}

// Identity is whom a session is charged to.
type Identity struct {
	Assurance Assurance
	SID       string     // S-1-..., from AssuranceResolved on
	Account   Account    // from AssuranceClaimed on
	Address   netip.Addr // the client's address
	// Network is what users below AssuranceClaimed are counted by, because one
	// host may have many addresses. The zero Prefix stands for the address alone.
	Network netip.Prefix
}

// Key returns what sessions are counted by: the SID if it is known, else the
// account, else the network of the client. Fields above the assurance are not used.
// Keys of different kinds differ in their prefix, so an account that is spelled
// like a SID is not that SID. A user who could not be read is counted with all
// others of the network: otherwise clients would have a second quota for being
// unreadable.
func (i Identity) Key() string {
	switch {
	case i.hasSID():
		return "sid:" + fold.String(i.SID)
	case i.hasAccount():
		return i.Account.key()
	}
	return "address:" + i.place()
}

func (i *Identity) hasSID() bool     { return i.Assurance >= AssuranceResolved && i.SID != "" }
func (i *Identity) hasAccount() bool { return i.Assurance >= AssuranceClaimed && !i.Account.IsZero() }

// place returns the network, or the address where that is one.
func (i *Identity) place() string {
	if !i.Network.IsValid() || i.Network.IsSingleIP() {
		return i.Address.Unmap().String()
	}
	return i.Network.String()
}

// alike reports whether i and o are written the same, and so have the same key.
// It is cheap, but not exact: spellings that differ may have the same key.
func (i *Identity) alike(o *Identity) bool {
	if i.Assurance != o.Assurance || i.SID != o.SID || i.Account != o.Account {
		return false
	}
	return i.hasSID() || i.hasAccount() || i.Address == o.Address && i.Network == o.Network
}

// String returns the name to show: account, SID or address, whichever is known
// first. It may hold text from the network.
func (i Identity) String() string {
	switch {
	case !i.Account.IsZero():
		return i.Account.String()
	case i.SID != "":
		return i.SID
	}
	return i.place()
}
