package policy

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// hostileTime is what one hostile file may take: some hundred times what the
// slowest of them takes, and twenty times that with the race detector, so that
// only another order of growth fails and no busy machine does.
const hostileTime = time.Minute

func TestHostileFilesEndInBoundedTimeAndMemory(t *testing.T) {
	fill := func(unit string) string { return strings.Repeat(unit, maxFile/4/len(unit)) }
	for name, text := range map[string]string{
		"alias bomb":           bomb("[", "]", "*%[1]s,*%[1]s,*%[1]s,*%[1]s,*%[1]s,*%[1]s,*%[1]s,*%[1]s,*%[1]s"),
		"alias bomb of keys":   bomb("{", "}", "a: *%[1]s, b: *%[1]s, c: *%[1]s, d: *%[1]s"),
		"long list, many uses": head + "policy: {rules: [{name: a, limit: 1, match: {clients: &c [" + fillTo(maxFile/2, "10.0.0.1,") + "10.0.0.2]}}," + strings.Repeat("{name: a, limit: 1, match: {clients: *c}},", 900) + "]}\n",
		"list of itself":       head + "policy: {rules: &r [*r, *r, *r]}\n",
		"mapping of itself":    head + "policy: &p {default: *p, refusal: *p, rules: [*p]}\n",
		"deep lists":           "version: " + fill("["),
		"deep mappings":        "version: " + fill("{a: "),
		"deep blocks":          fill("- "),
		"deep keys":            fill("? "),
		"many keys":            manyKeys(),
		"many rules":           head + "policy: {rules: [" + fill("{name: a, match: {}, limit: 1},") + "]}\n",
		"many wrong rules":     head + "policy: {rules: [" + strings.Repeat("{x: 1},", maxEntries) + "]}\n",
		"many listeners":       "version: 1\nlisteners: [" + fill("{},") + "]\n",
		"many pools":           "version: 1\nbackends: [" + numbered(maxEntries, "{name: d%[1]d, address: 10.1.0.0},") + "]\nlisteners: [{name: a, address: 10.0.0.1, backends: &p [" + numbered(maxListed, "d%[1]d,") + "]}," + strings.Repeat("{name: a, address: 10.0.0.1, backends: *p},", maxEntries-100) + "]\n",
		"long pool":            "version: 1\nbackends: [{name: a, address: 10.0.0.1}]\nlisteners: [{name: a, address: 10.0.0.2, backends: [" + fill("a,") + "]}]\n",
		"many destinations":    transparentListeners(maxEntries-100, maxListed),
		"long destinations":    transparentListeners(1, 30_000),
		"long host name":       "version: 1\nbackends: [{name: a, srv: " + fill("a.") + "}]\n",
		"long interface":       "version: 1\nlisteners: [{name: a, mode: tproxy, interfaces: [" + fill("e") + "]}]\n",
		"long user":            head + "health: {auth: ntlm, user: '" + fill("a") + "\\a'}\n",
		"many documents":       fill("---\n"),
		"many anchors":         fill("&a "),
		"many tags":            "%TAG ! tag:x,2000:\n---\n" + fill("!a "),
		"many comments":        fill("#\n"),
		"many colons":          fill("a:\n "),
		"long scalar":          "version: " + fill("9"),
		"long name":            "version: 1\nlisteners: [{name: " + fill("n") + "}]\n",
		"long sid":             head + "policy: {rules: [{name: a, limit: 1, match: {sid: S" + fill("-1") + "}}]}\n",
		"long pattern":         head + "policy: {rules: [{name: a, limit: 1, match: {account: 'A\\" + fill("*a") + "'}}]}\n",
		"long quoted key":      `"` + fill(`\x41`) + `": 1`,
		"bad bytes":            fill("\xff"),
		"too long":             strings.Repeat("#", maxFile+1),
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			_, err := Parse("t.yaml", []byte(text))
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			var problems Problems
			if !errors.As(err, &problems) {
				t.Fatalf("error %v, want problems", err)
			}
			if len(problems) > maxProblems+1 || len(err.Error()) > 100_000 {
				t.Errorf("%d problems in %d bytes", len(problems), len(err.Error()))
			}
			if took > hostileTime {
				t.Errorf("took %v", took)
			}
			if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 1<<30 {
				t.Errorf("allocated %d MiB", allocated>>20)
			}
			t.Logf("%v, %d MiB, %d problems", took, (after.TotalAlloc-before.TotalAlloc)>>20, len(problems))
		})
	}
}

// bomb returns a configuration of nine anchors, each using the one before
// several times.
func bomb(open, end, use string) string {
	var b strings.Builder
	b.WriteString(head + "log:\n  - &a0 x\n")
	for i := range 9 {
		fmt.Fprintf(&b, "  - &a%d %s%s%s\n", i+1, open, fmt.Sprintf(use, fmt.Sprintf("a%d", i)), end)
	}
	b.WriteString("policy: {rules: *a9}\nmetrics: *a9\n")
	return b.String()
}

// numbered is n times the text, each with its number.
func numbered(n int, text string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, text, i)
	}
	return b.String()
}

// transparentListeners has n listeners that take the same networks.
func transparentListeners(n, networks int) string {
	return "version: 1\nlisteners: [{name: a, mode: tproxy, port: 1, destinations: &d [" + numbered(networks, "2001:db8:%[1]x::/48,") + "]}," +
		strings.Repeat("{name: a, mode: tproxy, port: 1, destinations: *d},", n-1) + "]\n"
}

func fillTo(n int, unit string) string { return strings.Repeat(unit, n/len(unit)) }

func manyKeys() string {
	var b strings.Builder
	for i := 0; b.Len() < maxFile/4; i++ {
		fmt.Fprintf(&b, "k%d: 1\n", i)
	}
	return b.String()
}

func TestAliasesCannotMultiplyAListWithoutBound(t *testing.T) {
	text := head + "policy: {rules: [{name: a, limit: 1, match: {clients: &c [" + strings.Repeat("10.0.0.1,", 1000) + "]}}," +
		strings.Repeat("{name: a, limit: 1, match: {clients: *c}},", 900) + "]}\n"
	_, err := Parse("t.yaml", []byte(text))
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("found more than %d values", maxNodes)) {
		t.Errorf("error %.300v", err)
	}
}

func TestLargestPolicyIsAccepted(t *testing.T) {
	var b strings.Builder
	b.WriteString(head + "policy:\n  rules:\n")
	for i := range maxEntries {
		fmt.Fprintf(&b, "    - {name: r%d, match: {account: '*\\%s%d', clients: [10.%d.%d.0/24]}, limit: %d}\n",
			i, strings.Repeat("x?*", 60), i, i/250, i%250, 50+i)
	}
	start := time.Now()
	cfg := mustParse(t, b.String())
	if len(cfg.Policy.Rules) != maxEntries || len(cfg.Warnings) != 0 {
		t.Errorf("%d rules, %d warnings", len(cfg.Policy.Rules), len(cfg.Warnings))
	}
	if took := time.Since(start); took > hostileTime {
		t.Errorf("took %v", took)
	}
}
