package policy

import (
	"strconv"
	"strings"
	"testing"
)

func TestRulesForADomainThatIsNotKnownAreWarnedOf(t *testing.T) {
	rules := func(patterns ...string) string {
		text := "policy:\n  rules:\n"
		for i, p := range patterns {
			text += "    - {name: r" + strconv.Itoa(i) + ", match: {account: '" + p + "'}, limit: 50}\n"
		}
		return text
	}
	for text, warnings := range map[string]int{
		rules(`LAB\a`, `lab\bb`, `lab.example\ccc`, `*\dddd`, `L*\e`): 0,
		rules(`LAB\a`, `PARTNER\bb`):                                  1,
		rules(`a@lab.example`, `bb@partner.example`):                  1,
		"identity: {domains: [{netbios: Partner, dns: partner.example}]}\n" + rules(`LAB\a`, `PARTNER\bb`, `c@partner.example`, `ddd@lab.example`): 0,
		"identity: {directory: {url: ldaps://dc1:3269, bind_dn: 'LAB\\svc', password_file: pass}}\n" + rules(`LAB\a`, `PARTNER\bb`):                0,
	} {
		got := mustParse(t, head+text).Warnings
		if len(got) != warnings || warnings == 1 && !strings.Contains(got[0].Found, "the domain ") {
			t.Errorf("%s%v, want %d warnings", text, got, warnings)
		}
	}
}
