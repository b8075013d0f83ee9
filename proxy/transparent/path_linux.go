package transparent

import (
	"os"
	"strings"
)

// Problems returns what of the configuration does not fit this machine, so that
// connections of clients pass by a listener, or lead nowhere, with the rules in
// force. It needs no right.
func (p *Plan) Problems() []Problem {
	var ps problems
	for _, f := range p.families() {
		if sysctl(f.forwarding) == "0" {
			ps.add("", NoForwarding, f.forwarding)
		}
	}
	if err := p.checkPath(&ps); err != nil {
		ps.add("", Unknown, err.Error())
	}
	return ps
}

// checkPath adds what is wrong with interfaces and destinations.
func (p *Plan) checkPath(ps *problems) error {
	conn, err := dialRoute()
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	links, err := readLinks(conn)
	if err != nil {
		return err
	}
	for _, f := range p.routedFamilies() {
		before, err := f.rulesBefore(conn)
		if err != nil {
			return err
		}
		for _, r := range before {
			if r.withMark(p.settings.Mark) {
				ps.add("", MarkTaken, r.String())
			}
		}
	}
	for _, l := range p.listeners {
		ps.checkInterfaces(l, links)
		ps.checkBridges(l, links)
		if err := ps.checkDestinations(l, p.hosts, links, kernelRouter{conn, links}); err != nil {
			return err
		}
	}
	return nil
}

// sysctl returns a setting of the kernel; empty: there is none.
func sysctl(name string) string {
	value, err := os.ReadFile("/proc/sys/" + strings.ReplaceAll(name, ".", "/"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(value))
}
