package policy

import (
	"fmt"
	"strings"

	"github.com/nspiproxy/nspiproxy/internal/fold"
)

// ruleDomains warns of rules for accounts of several domains where the program knows only
// the domain controllers' own: it takes every other for that one, as they do with a domain
// that they do not trust.
func (v *validator) ruleDomains() {
	identity := &v.cfg.Identity
	if identity.learnsSIDs() {
		return // tickets name the domain, and the directory knows all that are trusted
	}
	known := map[string]bool{}
	for _, d := range identity.Domains {
		known[fold.String(string(d.NetBIOS))], known[fold.String(string(d.DNS))] = true, true
	}
	own := map[bool]string{} // the first of each kind, by whether it is a DNS name
	for i, r := range v.cfg.Policy.Rules {
		domain, _ := r.Match.Account.parts()
		if domain == "" || strings.ContainsAny(domain, "*?") || known[fold.String(domain)] {
			continue
		}
		isDNS := strings.Contains(domain, ".")
		first, ok := own[isDNS]
		switch {
		case !ok:
			own[isDNS] = domain
		case fold.String(first) != fold.String(domain):
			v.warn(fmt.Sprintf("policy.rules[%d].match.account", i),
				fmt.Sprintf("the domain %s beside %s, and nothing that tells them apart: users of a domain that is not the domain controllers' own are taken for users of that one", domain, first),
				"identity.domains with those that the domain controllers trust, or identity.directory")
		}
	}
}
