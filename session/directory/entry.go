package directory

import (
	"fmt"
	"unicode/utf8"

	"github.com/go-ldap/ldap/v3"
)

// maxGroups bounds the groups of one account: more than 1015 do not fit an
// access token, and such an account cannot log on.
const maxGroups = 1024

// resultOf reads an account that was found, and asks for its groups.
func (l *link) resultOf(e *ldap.Entry) (Result, error) {
	sid, err := parseSID(e.GetRawAttributeValue("objectSid"))
	if err != nil {
		return Result{}, fmt.Errorf("%w: objectSid of %q: %w", ErrDown, e.DN, err)
	}
	user := e.GetAttributeValue("sAMAccountName")
	if utf8.RuneCountInString(user) > maxName {
		return Result{}, fmt.Errorf("%w: a sAMAccountName of %d bytes", ErrDown, len(user))
	}
	groups, err := l.groupsOf(e.DN)
	if err != nil {
		return Result{}, err
	}
	r := Result{SID: sid, Groups: groups, User: user}
	if upn := e.GetAttributeValue("userPrincipalName"); utf8.RuneCountInString(upn) <= maxName {
		r.UPN = upn
	}
	if d := l.forest.domainOf(e); d != nil {
		r.Domain = Domain{d.netbios, d.dns}
	}
	return r, nil
}

// groupsOf asks for tokenGroups, which the server computes for base searches
// only (MS-ADTS 3.1.1.4.5.19). A server that refuses, or of which the account
// that asks has no right to know, leaves the groups unknown: nil.
func (l *link) groupsOf(dn string) ([]string, error) {
	e, err := l.read(dn, "tokenGroups")
	switch {
	case broken(err):
		return nil, err
	case err != nil:
		return nil, nil
	}
	values := e.GetRawAttributeValues("tokenGroups")
	var groups []string
	for _, value := range values[:min(len(values), maxGroups)] {
		sid, err := parseSID(value)
		if err != nil {
			return nil, fmt.Errorf("%w: tokenGroups of %q: %w", ErrDown, dn, err)
		}
		groups = append(groups, sid)
	}
	return groups, nil
}
