package transparent

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/nspiproxy/nspiproxy/policy"
)

// comment is what the table says of itself: what becomes of it when the proxy is
// down, since the configuration may have changed by then, and which rules it was
// made with.
func (p *Plan) comment() string {
	return fmt.Sprintf("%s, rules %s", whenDownComment(p.settings.WhenDown), p.hash())
}

// whenDownComment is how a comment begins.
func whenDownComment(m policy.FailMode) string { return "when_down " + string(m) }

// hash tells the rules of one plan from those of another. Ports that are learnt,
// and remarks, are not part of it.
func (p *Plan) hash() string {
	r := &ruleset{plan: p}
	r.content(nil, nil)
	h := sha256.New()
	for line := range strings.Lines(r.text.String()) {
		if !strings.HasPrefix(strings.TrimSpace(line), "#") {
			h.Write([]byte(line))
		}
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:8])
}
