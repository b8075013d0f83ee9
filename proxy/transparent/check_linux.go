package transparent

// Check returns what on this machine keeps the rules from working, for people to
// read. Whether it is a router is its administrator's decision.
func (p *Plan) Check() (found []string) {
	for _, f := range p.families() {
		if !f.enabled() {
			found = append(found, "destinations are IPv6 networks, and this machine has no IPv6: they are left out")
		}
	}
	for _, problem := range p.Possible().Problems() {
		found = append(found, problem.String())
	}
	return found
}

// CheckRouting returns an error if marked packets do not come to this machine with the
// rules in force, by what others have put before ours.
func (p *Plan) CheckRouting() error { return p.Possible().checkRouting() }
