package transparent

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nspiproxy/nspiproxy/policy"
)

// feature is something that rules need of the kernel, and the module that has it.
type feature struct {
	module string
	modes  []policy.Mode // that need it; nil: all
	chain  string        // of type and hook
	rule   string        // in it; empty: the chain alone
}

// features are in the order in which they are tried: one that others need comes
// first.
var features = []feature{
	{module: "nf_tables", chain: "type filter hook forward priority filter"},
	{module: "nft_ct and nf_conntrack", modes: []policy.Mode{policy.ModeTPROXY}, chain: "type filter hook prerouting priority raw", rule: "notrack"},
	{module: "nft_socket", modes: []policy.Mode{policy.ModeTPROXY}, chain: "type filter hook prerouting priority raw", rule: "socket transparent 1"},
	{module: "nft_tproxy", modes: []policy.Mode{policy.ModeTPROXY}, chain: "type filter hook prerouting priority raw", rule: "meta l4proto tcp tproxy to :1"},
	{module: "nft_fib_inet", modes: []policy.Mode{policy.ModeTPROXY}, chain: "type filter hook output priority raw", rule: "fib saddr type != local"},
	{module: "nft_chain_nat and nf_nat", modes: []policy.Mode{policy.ModeRedirect}, chain: "type nat hook prerouting priority dstnat"},
	{module: "nft_redir", modes: []policy.Mode{policy.ModeRedirect}, chain: "type nat hook prerouting priority dstnat", rule: "meta l4proto tcp redirect to :1"},
	{module: "nft_reject_inet", chain: "type filter hook forward priority filter", rule: "meta l4proto tcp reject with tcp reset"},
}

// ruleset is a rule set that needs the feature and little else.
func (f feature) ruleset() string {
	return fmt.Sprintf("table inet %s_check {\n\tchain c {\n\t\t%s;\n\t\t%s\n\t}\n}\n", TableName, f.chain, f.rule)
}

// isMissing reports whether a program complained of something that the kernel does
// not have.
func isMissing(err error) bool {
	return slices.ContainsFunc([]string{"No such file or directory", "not supported"}, func(text string) bool { return complained(err, text) })
}

// explainMissing adds to the error of a program what the kernel does not have of what
// the plan needs. Each feature is tried by itself, and nothing changed.
func (p *Plan) explainMissing(err error) error {
	if !isMissing(err) {
		return err
	}
	var missing []string
	for _, f := range features {
		if f.modes != nil && !slices.ContainsFunc(f.modes, func(m policy.Mode) bool { return len(p.of(m)) > 0 }) {
			continue
		}
		if _, tried := run(f.ruleset(), "nft", "--check", "-f", "-"); isMissing(tried) {
			missing = append(missing, f.module)
			if f.module == features[0].module {
				break
			}
		}
	}
	if len(missing) == 0 {
		return err
	}
	return fmt.Errorf("%w: this kernel does not have %s, nor does it load modules by itself here: "+
		"load them with modprobe as root, for a container on its host", err, strings.Join(missing, ", "))
}

// explainRouting adds to an error of ip that the kernel has no routing rules.
func explainRouting(err error) error {
	if complained(err, "not supported") {
		return fmt.Errorf("%w: this kernel has no routing rules (CONFIG_IP_MULTIPLE_TABLES, CONFIG_IPV6_MULTIPLE_TABLES)", err)
	}
	return err
}
