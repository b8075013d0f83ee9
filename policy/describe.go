package policy

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"text/tabwriter"
)

// Describe prints the effective configuration for people, defaults included.
// The configuration must be valid, as [Load] and [Parse] return it. counting says who
// is counted how: [Identity.Counting], or what is known beyond that.
func (c *Config) Describe(w io.Writer, counting []Counting) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	c.describeListeners(tw)
	c.describeTransparent(tw)
	c.describeHealth(tw)
	c.describeIdentity(tw)
	describeCounting(tw, counting)
	c.describePolicy(tw)
	c.describeProgram(tw)
	return tw.Flush()
}

// describeIdentity tells what can become known of users.
func (c *Config) describeIdentity(w *tabwriter.Writer) {
	i, d := &c.Identity, &c.Identity.Directory
	if !i.learnsSIDs() && len(i.Domains) == 0 {
		return
	}
	fmt.Fprintln(w, "Identity")
	for _, keytab := range i.Keytabs {
		fmt.Fprintf(w, "  keytab\t%s\n", keytab)
	}
	if d.Configured() {
		base := ""
		if d.BaseDN != "" {
			base = ", below " + string(d.BaseDN)
		}
		fmt.Fprintf(w, "  directory\t%s%s\n", d.URL, base)
		fmt.Fprintf(w, "  asked\tas %s, for at most %v\n", d.BindDN, d.Timeout)
		fmt.Fprintf(w, "  remembered\t%d names for %v, unknown ones for %v\n", d.CacheSize, d.PositiveTTL, d.NegativeTTL)
		fmt.Fprintf(w, "  when down\t%s\n", d.WhenDown)
	}
	i.describeDomains(w)
	fmt.Fprintln(w)
}

func (c *Config) describePolicy(w *tabwriter.Writer) {
	scope := "and backend"
	if c.Policy.Scope == ScopeAll {
		scope = "on all backends together"
	}
	fmt.Fprintf(w, "Policy: sessions per user %s, first match wins\n", scope)
	for i, rule := range New(c.Policy).Rules() {
		number, who := fmt.Sprint(i+1), "everybody else"
		if i < len(c.Policy.Rules) {
			who = c.Policy.Rules[i].Match.String()
		} else {
			number = "-"
		}
		dryRun := ""
		if rule.DryRun {
			dryRun = "dry run"
		}
		fmt.Fprintf(w, "  %s\t%s\tlimit %v\t%s\t%s\n", number, rule.Name, rule.Limit, dryRun, who)
	}
	if c.Policy.DryRun {
		fmt.Fprintln(w, "  Nothing is refused: policy.dry_run is set.")
	}
	c.describeUpstream(w)
	fmt.Fprintln(w)
}

// limitValue is the registry value with the limit of a domain controller (KB 949469).
const limitValue = `HKLM\SYSTEM\CurrentControlSet\Services\NTDS\Parameters\NSPI max sessions per user`

// describeUpstream says where a limit ends that is above what a domain controller allows by
// itself. That has it for each user by SID, whatever is counted together here.
func (c *Config) describeUpstream(w *tabwriter.Writer) {
	above := func(l Limit) bool { return l.IsUnlimited() || l > DefaultLimit }
	over := above(c.Policy.Default.Limit) || slices.ContainsFunc(c.Policy.Rules, func(r RuleConfig) bool { return above(r.Limit) })
	if !over {
		return
	}
	fmt.Fprintf(w, "  A domain controller by itself allows each user %v. Above that a limit needs, on each of them, the registry value\n  %s\n", DefaultLimit, limitValue)
	if c.Policy.Scope == ScopeAll {
		fmt.Fprintf(w, "  Without it, a user reaches a limit above %v by sessions on several domain controllers.\n", DefaultLimit)
	}
}

// String returns the conditions in words.
func (m Match) String() string {
	var conditions []string
	if m.SID != "" {
		conditions = append(conditions, "sid "+string(m.SID))
	}
	if m.Group != "" {
		conditions = append(conditions, "group "+string(m.Group))
	}
	if !m.Account.IsZero() {
		conditions = append(conditions, "account "+m.Account.String())
	}
	if len(m.Clients) > 0 {
		conditions = append(conditions, "from "+describeNetworks(m.Clients))
	}
	if m.Backend != "" {
		conditions = append(conditions, "on "+m.Backend)
	}
	if len(m.Assurance) > 0 {
		conditions = append(conditions, "known as "+describeAssurances(m.Assurance))
	}
	if len(conditions) == 0 {
		return "everybody"
	}
	return strings.Join(conditions, ", ")
}

func describeNetworks(networks []netip.Prefix) string {
	names := make([]string, len(networks))
	for i, p := range networks {
		names[i] = describeNetwork(p)
	}
	return strings.Join(names, " or ")
}

// describeNetwork names a network, or a single address without a length.
func describeNetwork(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

func (c *Config) describeProgram(w *tabwriter.Writer) {
	p, r := c.Policy.Refusal, c.Relay
	loops := "one for each core"
	if r.Loops > 0 {
		loops = fmt.Sprint(r.Loops)
	}
	metrics := "none"
	if c.Metrics.Address.IsValid() {
		metrics = fmt.Sprintf("http://%v/metrics", c.Metrics.Address)
	}
	fmt.Fprintln(w, "Settings")
	for _, line := range []struct {
		name  string
		value any
	}{
		{"refusal form", p.Form},
		{"refusal fault status", p.FaultStatus},
		{"event loops", loops},
		{"max connections", r.MaxConnections},
		{"connect timeout", r.ConnectTimeout},
		{"failover timeout", min(r.FailoverTimeout, r.ConnectTimeout)},
		{"handshake timeout", r.HandshakeTimeout},
		{"session timeout", r.SessionTimeout},
		{"keepalive", r.Keepalive},
		{"shutdown timeout", r.ShutdownTimeout},
		{"max fragment", fmt.Sprintf("%d bytes", r.MaxFragment)},
		{"kept for all connections", fmt.Sprintf("%d bytes", r.MaxKept)},
		{"not DCE/RPC", r.NonRPC},
		{"connections noted in", r.ConnectionsFile},
		{"metrics", metrics},
		{"log", fmt.Sprintf("%s, %s", c.Log.Level, c.Log.Format)},
	} {
		fmt.Fprintf(w, "  %s\t%v\n", line.name, line.value)
	}
}

func describeAssurances(list []Assurance) string {
	names := make([]string, len(list))
	for i, a := range list {
		names[i] = string(a)
	}
	return strings.Join(names, " or ")
}
