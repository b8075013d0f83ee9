package proxy

import (
	"fmt"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/inspect"
)

// reportCounting says by what users are counted, and which domain controllers'
// tickets cannot be opened.
func (s *Server) reportCounting() {
	for _, c := range counting(s.config, s.keys) {
		s.reporter.Report(inspect.Counted(c))
	}
}

// counting is what the configuration says, corrected by what the keytabs have.
func counting(config *policy.Config, keys *keyring) []policy.Counting {
	identity := config.Identity
	tab := keys.now.Load().tab
	if len(identity.Keytabs) > 0 && tab.Computers() == 0 {
		identity.Keytabs = nil // they serve NTLM alone
	}
	list := identity.Counting()
	if len(identity.Keytabs) == 0 {
		return list
	}
	for i := range config.Backends {
		b := &config.Backends[i]
		if b.Host == "" || tab.Service(string(b.Host)).Known() {
			continue
		}
		list = append(list, policy.Counting{
			Who: "Kerberos on " + b.Name, Alarming: true,
			How: fmt.Sprintf("as unreadable, unless another computer account's key opens its tickets: no keytab has one of %s", b.Host),
		})
	}
	return list
}
