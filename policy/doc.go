// Package policy is what is allowed: the configuration file, the rules in it,
// and the decisions that follow from them.
//
//	cfg, err := policy.Load("/etc/nspiproxy.yaml") // all errors at once, each with file:line:column
//	rules := policy.New(cfg.Policy)                // compiled, immutable, safe for all goroutines
//
//	rule := rules.Match(policy.Subject{Account: policy.Name{Domain: "LAB", User: "svc-mig"}, Client: addr, Backend: "dc1"})
//	decision := rule.Decision(50, false)           // the user holds 50 sessions; the table reserved none
//	fmt.Println(decision)                          // refuse: 50 of 50 sessions held, rule default
//
// The package is pure: no sockets, no clock, no logger. It only reads the file
// that it is told to read; [Load] looks at the files that are named there, and
// [ReadPrivate] reads one with secrets.
//
// # How a file becomes a policy
//
//	bytes ── YAML parser ──▶ nodes ── decode.go ──▶ Config ── validate.go ──▶ Config + Warnings ── New ──▶ Policy
//
// decode.go walks the nodes along the yaml tags of the structs in config.go and
// is strict: an unknown, repeated, empty or mistyped key is an error. scalar.go
// knows how each type of value is written. validate.go checks what involves
// more than one key, and ranges; validate_listener.go, and the files of the
// other sections, what concerns these; conditions.go and ruledomains.go rules that
// no user meets, or hardly any; collisions.go ports and files that two keys name.
// typed.go knows how a value was typed where that is not how it reads. Every finding is
// a [Problem] with line, column and the key path; they are collected and reported
// together as [Problems].
//
// # How a bind is decided
//
// [Policy.Match] returns the first rule of which every condition holds, or the
// default. A condition that the rule does not have always holds; one that has
// nothing to compare with (an account pattern and a subject without a name)
// never does, and the decision says so in its field Unknown. The session table
// judges [Rule.Enforced], the limit, and takes a slot in the same step;
// [Rule.Decision] is made from its answer:
//
//	limit      held    dry run   slot      decision
//	unlimited  any     any       reserved  Grant
//	n          < n     any       reserved  Grant
//	n          >= n    no        none      Refuse
//	n          >= n    yes       reserved  GrantOverLimit
//
// A rule does not change what is counted: sessions are counted per user and
// backend, or per user over all backends ([Scope]), whatever rules they were
// granted by.
//
// # To add a key
//
// Add the field to its struct in config.go with yaml tag and doc comment
// (default, unit, effect on live sessions), its default to [Defaults], its
// range to validate.go, its line to describe.go, and its section to
// docs/configuration.md; tests fail for what is forgotten.
package policy
