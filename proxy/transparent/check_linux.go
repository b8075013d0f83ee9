package transparent

import (
	"fmt"
	"os"
	"strings"
)

// Check returns what on this machine keeps the rules from working, for people to
// read. Whether it is a router is its administrator's decision.
func (p *Plan) Check() (problems []string) {
	for _, f := range p.families() {
		if !f.enabled() {
			problems = append(problems, "destinations are IPv6 networks, and this machine has no IPv6: they are left out")
			continue
		}
		value, err := os.ReadFile("/proc/sys/" + strings.ReplaceAll(f.forwarding, ".", "/"))
		if err != nil {
			problems = append(problems, err.Error())
		} else if strings.TrimSpace(string(value)) == "0" {
			problems = append(problems, fmt.Sprintf("this machine does not forward packets: sysctl -w %s=1", f.forwarding))
		}
	}
	return problems
}
