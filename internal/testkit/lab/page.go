package lab

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/module"
)

// PageBlocks returns the blocks of a page of docs/ that are fenced as kind, such as "yaml", in their order.
func PageBlocks(t *testing.T, page, kind string) (blocks []string) {
	t.Helper()
	text, err := os.ReadFile(module.Path(t, "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	inside, wanted := false, false
	for line := range strings.Lines(string(text)) {
		switch fence, found := strings.CutPrefix(strings.TrimSpace(line), "```"); {
		case found && inside:
			inside = false
		case found:
			if inside, wanted = true, fence == kind; wanted {
				blocks = append(blocks, "")
			}
		case inside && wanted:
			blocks[len(blocks)-1] += line
		}
	}
	if len(blocks) == 0 {
		t.Fatalf("docs/%s has no %s", page, kind)
	}
	return blocks
}

// PageCommand returns the command of a page's indented text that begins so. In a list it is indented further.
func PageCommand(t *testing.T, page, begin string) string {
	t.Helper()
	text, err := os.ReadFile(module.Path(t, "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if command, ok := strings.CutPrefix(line, "    "); ok && strings.HasPrefix(strings.TrimLeft(command, " "), begin) {
			return strings.TrimLeft(command, " ")
		}
	}
	t.Fatalf("docs/%s has no command %s", page, begin)
	return ""
}

// Replaced puts addresses of the lab, or whatever else, in the place of the page's. All of them must be there.
func Replaced(t *testing.T, block string, pairs ...string) string {
	t.Helper()
	for n := 0; n < len(pairs); n += 2 {
		if !strings.Contains(block, pairs[n]) {
			t.Fatalf("the page has no %s:\n%s", pairs[n], block)
		}
	}
	return strings.NewReplacer(pairs...).Replace(block)
}

// CheckConfig runs nspiproxy check on a configuration, which must be valid and leave nothing to warn of.
func CheckConfig(t *testing.T, config string) {
	t.Helper()
	file := filepath.Join(OrdinaryFolder(t), "nspiproxy.yaml")
	WritePrivate(t, file, []byte(config))
	var local *Machine
	if out := local.Run(t, Program(t), "check", "--config", file); strings.Contains(strings.ToLower(out), "warning") {
		t.Errorf("nspiproxy check warns:\n%s", out)
	}
}
