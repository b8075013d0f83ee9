package transparent

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// HasIPv6 reports whether this machine has IPv6. It may be left out of the kernel, or
// switched off (net.ipv6.conf.all.disable_ipv6): there is no loopback address then,
// and no route.
func HasIPv6() bool {
	if _, err := os.Stat("/proc/net/if_inet6"); err != nil {
		return false
	}
	off, err := os.ReadFile("/proc/sys/net/ipv6/conf/lo/disable_ipv6")
	return err != nil || strings.TrimSpace(string(off)) != "1"
}

// enabled reports whether this machine has that family.
func (f family) enabled() bool { return f.flag == ipv4.flag || HasIPv6() }

// rule is a routing rule as ip prints it with -N -j.
type rule struct {
	Priority int    `json:"priority"`
	IIF      string `json:"iif"`
	Mark     string `json:"fwmark"` // 0x4e53
	Mask     string `json:"fwmask"` // missing: all bits
	Table    string `json:"table"`
	Goto     int    `json:"goto"`
	Protocol string `json:"protocol"`
}

// command returns the command that would add it, as routing has it.
func (r rule) command() string {
	mark, _ := strconv.ParseUint(r.Mark, 0, 32) // 0 where there is none: never ours
	if r.Mask != r.Mark {
		mark = 0
	}
	from, action := "", "nop"
	switch {
	case r.Goto != 0:
		action = fmt.Sprintf("goto %d", r.Goto)
	case r.Table != "":
		action = "lookup " + r.Table
	}
	if r.IIF != "" {
		from = "iif " + r.IIF + " "
	}
	return ruleCommand(r.Priority, from, uint32(mark), action)
}

// route is a route as ip prints it with -N -j.
type route struct {
	Type        string `json:"type"`
	Destination string `json:"dst"`
	Device      string `json:"dev"`
	Table       string `json:"table"`
	Protocol    string `json:"protocol"`
}

// local reports whether r makes everything local. Types are names, or numbers
// where the version of ip takes -N for them too.
func (r route) local() bool {
	return (r.Type == "local" || r.Type == "2") && r.Destination == "default" && r.Device == "lo" // RTN_LOCAL
}

// list asks ip and reads its JSON.
func (f family) list(into any, args ...string) error {
	args = append([]string{"-N", "-j", f.flag}, args...)
	out, err := run("", "ip", args...)
	if err != nil {
		return err
	}
	if strings.TrimSpace(out) == "" {
		return nil // older versions print nothing for an empty list
	}
	if err := json.Unmarshal([]byte(out), into); err != nil {
		return fmt.Errorf("ip %s: %w", strings.Join(args, " "), err)
	}
	return nil
}

// current returns the rules and routes of ours that are there.
func (f family) current() (routing, error) {
	if !f.enabled() {
		return nil, nil
	}
	var rules []rule
	var routes []route
	if err := f.list(&rules, "rule", "show"); err != nil {
		return nil, err
	}
	ours := strconv.Itoa(routeProtocol)
	if err := f.list(&routes, "route", "show", "table", "all", "proto", ours); err != nil {
		return nil, err
	}
	var r routing
	for _, rule := range rules {
		if rule.Protocol == ours {
			r = append(r, rule.command())
		}
	}
	for _, route := range routes {
		table, err := strconv.Atoi(route.Table)
		if err == nil && route.local() {
			r = append(r, routeCommand(table))
		}
	}
	return r, nil
}

// checkTable returns an error if others have routes in our table: marked packets
// would follow them.
func (f family) checkTable(table int) error {
	var routes []route
	err := f.list(&routes, "route", "show", "table", strconv.Itoa(table))
	if complained(err, "table does not exist") {
		return nil
	}
	if err != nil {
		return err
	}
	for _, r := range routes {
		if r.Protocol != strconv.Itoa(routeProtocol) {
			return fmt.Errorf("routing table %d has a route of somebody else, to %s: set transparent.route_table to a free number", table, r.Destination)
		}
	}
	return nil
}

// replace removes every rule and route of ours and adds those of r.
func (f family) replace(r routing) error {
	for _, c := range append(flushCommands(), r...) {
		if _, err := run("", "ip", f.arguments(c)...); err != nil {
			return err
		}
	}
	return nil
}
