package transparent

import "github.com/nspiproxy/nspiproxy/policy"

// redirect writes the chain of the REDIRECT listeners.
func (r *ruleset) redirect(listeners []policy.Listener) {
	if len(listeners) == 0 {
		return
	}
	r.open("chain %s", chainRedirected)
	r.line("type nat hook prerouting priority dstnat; policy accept;")
	for _, l := range listeners {
		r.line("# Listener %s.", l.Name)
		for _, f := range families {
			for _, match := range f.intercepted(l) {
				r.line("%s redirect to :%d", match, l.Port)
			}
		}
	}
	r.close()
}

// forward writes the chain that ends what would pass by the proxy; doc.go tells
// when there is something in it. A reset is let through: it ends such a
// connection at the domain controller too.
func (r *ruleset) forward() {
	listeners := r.plan.listeners
	if r.plan.settings.WhenDown != policy.FailClosed {
		listeners = r.plan.of(policy.ModeRedirect)
	}
	if len(listeners) == 0 {
		return
	}
	r.open("chain %s", chainForwarded)
	r.line("# Connections that were made while there were no rules, or that nobody is there to take.")
	r.line("type filter hook forward priority filter; policy accept;")
	for _, l := range listeners {
		r.line("# Listener %s.", l.Name)
		for _, f := range families {
			for _, match := range f.intercepted(l) {
				r.line("%s reject with tcp reset", match)
			}
		}
	}
	r.close()
}
