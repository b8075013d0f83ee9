package krb5

import (
	"slices"
	"strings"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// accountPrefix begins the SIDs of accounts and groups of domains (MS-DTYP
// 2.4.2.4).
const accountPrefix = "S-1-5-21-"

// accountDashes is how many dashes such a SID has: S-1-5-21, three numbers of the
// domain, and the RID.
const accountDashes = 7

// assertedIdentity begins the SIDs that say how a user has authenticated, which
// any realm may assert (MS-DTYP 2.4.2.4).
const assertedIdentity = "S-1-18-"

// isAccount reports whether a SID is one of an account or group of a domain.
func isAccount(sid string) bool {
	return strings.HasPrefix(sid, accountPrefix) && strings.Count(sid, "-") == accountDashes
}

// filter takes out of a PAC what the realm of its client cannot say, as a KDC does
// at the border of a trust (MS-PAC 4.1.2.2). own is the realm of the server, whose
// KDC has signed the PAC. A user is an account of a domain. One of another realm
// is no account of the server's own domain, to which the resource groups belong,
// and is in no built-in group.
func (p *PAC) filter(client, own string) error {
	if !isAccount(p.SID) {
		return wire.Errorf(wire.ClassInvalid, namePAC, 0, "user %s, which is no account of a domain", p.SID)
	}
	if strings.EqualFold(client, own) {
		return nil
	}
	p.Foreign = true
	if p.resourceDomain != "" && strings.HasPrefix(p.SID, p.resourceDomain+"-") {
		return wire.Errorf(wire.ClassInvalid, namePAC, 0, "user %s of the server's own domain in a ticket of realm %q", p.SID, client)
	}
	p.Groups = slices.DeleteFunc(p.Groups, func(group string) bool {
		return !isAccount(group) && !strings.HasPrefix(group, assertedIdentity)
	})
	return nil
}
