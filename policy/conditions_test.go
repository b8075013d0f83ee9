package policy

import (
	"strings"
	"testing"
)

// ruleWith returns the only finding about a rule with a condition, and whether it is an
// error.
func ruleWith(t *testing.T, condition string) (finding string, isError bool) {
	t.Helper()
	const identity = "identity: {keytabs: [dc1.keytab]}\n" // SIDs are known
	cfg, err := Parse("t.yaml", []byte(head+identity+"policy: {rules: [{name: r, match: {"+condition+"}, limit: 50}]}\n"))
	if err != nil {
		return err.Error(), true
	}
	var all []string
	for _, w := range cfg.Warnings {
		all = append(all, w.Error())
	}
	return strings.Join(all, "\n"), false
}

func TestConditionsThatNobodyMeetsAreErrors(t *testing.T) {
	for condition, want := range map[string]string{
		`account: 'LAB\\svc-*'`:                      `found 'LAB\\svc-*', with two backslashes: the rule never matches, expected one: 'LAB\svc-*'`,
		`account: LAB\\\svc`:                         `expected one: 'LAB\svc'`,
		`account: 'LAB\svc\x'`:                       `a backslash in the name of the user: the rule never matches`,
		`account: 'LAB\'`:                            `without a user: the rule never matches`,
		`account: '@lab.example'`:                    `without a user: the rule never matches`,
		`account: '*/svc'`:                           `expected a backslash: '*\svc'`,
		`account: LAB/svc`:                           `expected a backslash: 'LAB\svc'`,
		`account: .\svc`:                             `an account of the client's machine: the rule never matches, expected 'DOMAIN\svc', or '*\svc' for any domain`,
		`account: "CN=svc,DC=lab"`:                   `expected DOMAIN\user, not a distinguished name`,
		`account: [LAB\a, LAB\b]`:                    `found a list, expected one: an account pattern`,
		`account: “LAB\svc”`:                         `in typographic quotes, expected quotes as YAML has them`,
		`account: "LAB\\svc\n"`:                      `expected single quotes, 'LAB\svc\n': in double quotes \n is a line feed`,
		`account: "LAB\ü"`:                           `in double quotes \ü means nothing`,
		`account: "LAB\u12"`:                         `in double quotes \u is a character by its number`,
		`account: svc`:                               `expected DOMAIN\user, such as '*\svc' for that name in any domain`,
		`sid: S-1-5-21-1-2`:                          `found S-1-5-21-1-2, a SID that is cut off: the rule never matches`,
		`sid: S-1-5-21-1-2-3`:                        `a domain without the number of an account at its end: the rule never matches`,
		`group: S-1-5-21-1-2-3`:                      `a domain without the number of an account at its end: the rule never matches`,
		`group: S-1-5-21-1-2-3-4-5`:                  `a SID with too many numbers: the rule never matches`,
		`sid: S-1-5-32-544`:                          `which is in no domain: the rule never matches`,
		`sid: S-1-5-18`:                              `which is in no domain: the rule never matches`,
		`sid: S-1-5-21-1-2-3-512`:                    `which is no user but a group: the rule never matches, expected the key group for it`,
		`group: S-1-5-21-1-2-3-500`:                  `which is no group but a user: the rule never matches, expected the key sid for it`,
		`group: S-1-1-0`:                             `which each machine adds by itself, and neither a ticket nor the directory tells: the rule never matches`,
		`group: S-1-5-11`:                            `which each machine adds by itself`,
		`group: Domain Admins`:                       `Get-ADUser and Get-ADGroup print those of users and groups`,
		`sid: 'LAB\svc'`:                             `found 'LAB\svc', expected a SID such as S-1-5-21-1004336348-1177238915-682003330-1105`,
		`sid: S-1-5-21-1-2-3-9, assurance: claimed`:  `a rule for a SID, and users whose SID is not known: it never matches`,
		`account: '*\svc', assurance: unreadable`:    `a rule for an account, and users who have no name: it never matches`,
		`clients: [10.0.0.5-10.0.0.9]`:               `found "10.0.0.5-10.0.0.9", expected networks such as 10.1.0.4/30, or single addresses: ranges are not read`,
		`clients: [10.0.0.9-10.0.0.5]`:               `ranges are not read`,
		`clients: [10.0.0.0/255.255.252.0]`:          `expected 10.0.0.0/22`,
		`clients: [10.0.0.1/8]`:                      `expected the network 10.0.0.0/8 (bits behind the prefix are set)`,
		`account: "LAB\bes"`:                         `found "LAB\bes", expected single quotes, 'LAB\bes': in double quotes \b is a backspace`,
		`account: "LAB\tom"`:                         `found "LAB\tom", expected single quotes, 'LAB\tom': in double quotes \t is a tab`,
		`account: "LAB\x41nna"`:                      `expected single quotes, 'LAB\x41nna': in double quotes \x is a character by its number`,
		`account: "LAB\xavier"`:                      `expected single quotes, 'LAB\xavier': in double quotes \x is a character by its number`,
		`account: "LAB\svc"`:                         `expected single quotes, 'LAB\svc': in double quotes \s means nothing`,
		`clients: [10.0.0.1], account: "it's\svc-*"`: `expected single quotes, 'it''s\svc-*': in double quotes \s means nothing`,
	} {
		got, isError := ruleWith(t, condition)
		if !isError || !strings.HasPrefix(got, "t.yaml:5:") || !strings.Contains(got, want) || strings.Contains(got, "\n") {
			t.Errorf("%s: error %v, %q, want the error %q", condition, isError, got, want)
		}
	}
}

func TestConditionsThatAreHardlyMeantAreWarnings(t *testing.T) {
	for condition, want := range map[string]string{
		`account: '\svc'`:                                 `without a domain: it matches only users whose domain is not known`,
		`account: 'LAB\a/b'`:                              `no account has a name with a slash`,
		`account: 'LAB\a:b'`:                              `Windows makes no account with ":" in its name`,
		`account: 'LAB X\svc'`:                            `no domain has a name with " "`,
		`account: 'LAB\svc@corp.example'`:                 `with two domains`,
		`account: 'LAB\svc-migration-of-exchange-2010'`:   `Windows cuts account names of users after 20 characters`,
		`account: 'OU=x,DC=lab\CN=y'`:                     `no domain has a name with "="`,
		`account: '*\svc', assurance: [claimed, address]`: ``,
	} {
		got, isError := ruleWith(t, condition)
		if isError || (want == "") != (got == "") || !strings.Contains(got, want) || strings.Contains(got, "\n") {
			t.Errorf("%s: error %v, %q, want the warning %q", condition, isError, got, want)
		}
	}
}

func TestOrdinaryConditionsAreFoundGood(t *testing.T) {
	for _, condition := range []string{
		`account: 'LAB\svc-*'`, `account: "LAB\\svc-*"`, `account: LAB\svc`, `account: '*'`, `account: '*\svc'`, `account: 'svc-*@lab.example'`,
		`account: '*@lab.example'`, `account: '*svc*'`, `account: 'LAB\PC-0123456789ABCDEF$'`, `account: 'LAB\john smith'`, `account: 'lab.example\a.b_c'`,
		`account: 'LAB\svc '`, `account: ' LAB\svc'`, // blanks at the ends do not count
		`account: 'john.smith-with-a-long-name@lab.example'`, `account: 'LAB\*-with-a-long-name-of-more-than-20'`,
		`sid: S-1-5-21-1-2-3-1105`, `group: S-1-5-21-1-2-3-512`, `group: S-1-5-32-544`, `group: S-1-18-1`, `sid: S-1-5-21-1-2-3-500`,
		`sid: S-1-5-21-1-2-3-9, assurance: [claimed, verified]`, `clients: [0.0.0.0/0]`, `clients: ["fd00::/8"]`,
	} {
		if got, _ := ruleWith(t, condition); got != "" {
			t.Errorf("%s: %s", condition, got)
		}
	}
}

// TestFoundNeverToMatchIsSo compares what the check says with what the patterns do.
func TestFoundNeverToMatchIsSo(t *testing.T) {
	names := []Name{named(`LAB\svc`), {Domain: "LAB", User: "svc@lab.example"}, {User: "svc"}, {Domain: "LAB", DNSDomain: "lab.example", User: "svc", UPN: "svc@lab.example"}}
	for _, text := range []string{`LAB\\svc`, `LAB\svc\x`, `LAB\`, `@lab.example`} {
		for _, n := range names {
			if MustPattern(text).Match(n) {
				t.Errorf("%s matches %+v", text, n)
			}
		}
	}
}

func TestWhatToWriteInsteadIsSaid(t *testing.T) {
	for text, want := range map[string]string{
		`policy: {default: {limit: "50"}}`:                                   `found "50", in quotes and so a text, expected a number of sessions`,
		`policy: {dry_run: 'true'}`:                                          `found "true", in quotes and so a text, expected true or false`,
		`identity: {keytabs: /etc/dc1.keytab}`:                               `expected a list, if of one: [/etc/dc1.keytab]`,
		`policy: {rules: [{name: a, match: {clients: 10.0.0.1}, limit: 1}]}`: `expected a list, if of one: [10.0.0.1]`,
		`policy: {rules: [{name: a, match: {clients: [::1]}, limit: 1}]}`:    `IPv6 addresses stand in quotes`,
	} {
		if _, err := Parse("t.yaml", []byte(head+text+"\n")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

func TestTabsAndEscapesAreNamedWhereTheFileIsNoYAML(t *testing.T) {
	for text, want := range map[string]string{
		"version: 1\nlisteners:\n\t- {name: a}\n":                                      "t.yaml:3:1: found a tab in front of a line, expected blanks: YAML has no tabs in the indentation",
		"version: 1\nlisteners:\n  - name: a\n\taddress: 10.0.0.1\n":                   "t.yaml:4:1: found a tab in front of a line",
		"version: 1\nlisteners:\n  - name: a\n  \taddress: 10.0.0.1\n":                 "t.yaml:4:3: found a tab in front of a line",
		head + "identity: {keytabs: [\"C:\\keys\\dc.keytab\"]}\n":                      `t.yaml:4:22: found "C:\keys\dc.keytab", expected single quotes, 'C:\keys\dc.keytab': in double quotes \k means nothing`,
		head + "identity: {keytabs: ['a\\b', \"a\\b\", \"C:\\new\\Users\"]}\n":         `t.yaml:4:36: found "C:\new\Users", expected single quotes, 'C:\new\Users': in double quotes \U is a character by its number`,
		head + "identity: {keytabs: [\"ä\", \"C:\\new\\bes.keytab\"]}\n":               `t.yaml:4:27: identity.keytabs[1]: found "C:\new\bes.keytab", expected single quotes, 'C:\new\bes.keytab': in double quotes \n is a line feed`,
		head + "health: {user: \"LAB\\bes\", auth: ntlm, password_file: p}\n":          `t.yaml:4:16: health.user: found "LAB\bes", expected single quotes, 'LAB\bes': in double quotes \b is a backspace`,
		head + "policy: {rules: [{name: r, match: {account: \"LAB\\\"}, limit: 1}]}\n": `a backslash in double quotes`,
	} {
		if _, err := Parse("t.yaml", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

func TestLimitThatAnotherSpellingEscapesIsWarnedOf(t *testing.T) {
	const with = "identity: {directory: {url: ldaps://dc1:3269, bind_dn: 'LAB\\svc', password_file: pass}}\n"
	for text, want := range map[string]string{
		`account: 'LAB\svc'}, limit: 10`:                      `'LAB\svc*'`,
		`account: 'LAB\svc-?'}, limit: 0`:                     `'LAB\svc-?*'`,
		`account: 'svc@lab.example'}, limit: 10`:              `'svc*@lab.example'`,
		`account: '*svc'}, limit: 10`:                         `'*svc*'`,
		`account: 'LAB\svc*'}, limit: 10`:                     "",
		`account: '*@lab.example'}, limit: 10`:                "",
		`account: 'LAB\svc'}, limit: 50`:                      "",
		`account: 'LAB\svc'}, limit: unlimited`:               "",
		`account: 'LAB\pc1$'}, limit: 10`:                     "",
		`account: 'LAB\svc', assurance: verified}, limit: 10`: "identity.keytabs for verified", // and not this one
		`clients: [10.0.0.0/8]}, limit: 10`:                   "",
	} {
		rule := "policy: {rules: [{name: r, match: {" + text + "}]}\n"
		cfg := mustParse(t, head+rule)
		if n := len(cfg.Warnings); want == "" && n != 0 || want != "" && (n != 1 || !strings.Contains(cfg.Warnings[0].Expected, want)) {
			t.Errorf("%s: %v, want %q", text, cfg.Warnings, want)
		}
		if n := len(mustParse(t, head+with+rule).Warnings); n != 0 && !strings.Contains(text, "verified") {
			t.Errorf("%s: %d warnings with a directory", text, n)
		}
	}
}

// TestSpellingThatEscapesDoesSo compares the warning with what the patterns do.
func TestSpellingThatEscapesDoesSo(t *testing.T) {
	escaping := Name{Domain: "LAB", DNSDomain: "lab.example", User: "svc@other"}
	for pattern, matches := range map[string]bool{`LAB\svc`: false, `LAB\svc*`: true, `svc@lab.example`: false, `svc*@lab.example`: true, `*svc`: false, `*svc*`: true} {
		if MustPattern(pattern).Match(escaping) != matches {
			t.Errorf("%s: want %v", pattern, matches)
		}
	}
}
