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
				r.line("%s %s redirect to :%d", match, isSYN, l.Port)
			}
		}
	}
	r.close()
}
