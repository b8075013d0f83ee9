package proxy

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// docs/architecture.md must name files and folders that exist.
func TestArchitecturePageNamesWhatThereIs(t *testing.T) {
	page, err := os.ReadFile("../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	paths := regexp.MustCompile("`([a-z][a-z0-9_]*(?:/[a-z0-9_]+)*/[a-z0-9_.]+)`").FindAllStringSubmatch(string(page), -1)
	for _, line := range strings.Split(string(page), "\n") { // the map
		if m := regexp.MustCompile(`^((?:cmd|proxy|session|policy|rpcparse|internal)(?:/[a-z]+)*) {2,}\S`).FindStringSubmatch(line); m != nil {
			paths = append(paths, m)
		}
	}
	if len(paths) < 50 {
		t.Fatalf("%d paths were found on the page", len(paths))
	}
	for _, m := range paths {
		if _, err := os.Stat(filepath.Join("..", m[1])); err != nil {
			t.Errorf("the page names %s: %v", m[1], err)
		}
	}
}

// TestImportsRunDownward compares the arrows of docs/architecture.md with the
// imports that there are. Packages that an arrow does not name may be imported by
// none of these.
func TestImportsRunDownward(t *testing.T) {
	const module = "github.com/nspiproxy/nspiproxy/"
	may := map[string][]string{
		"proxy/listen":      {"proxy/relay", "proxy/inspect", "proxy/backend", "proxy/transparent", "policy", "rpcparse"},
		"proxy/relay":       {"proxy/verdict", "rpcparse"},
		"proxy/inspect":     {"proxy/verdict", "session", "policy", "rpcparse", "internal/fold"},
		"proxy/report":      {"proxy/inspect", "session", "policy", "rpcparse"},
		"proxy/backend":     {"proxy/client", "rpcparse"},
		"proxy/client":      {"rpcparse"},
		"proxy/transparent": {"policy", "internal/owner"},
		"proxy/standby":     {},
		"proxy/halfopen":    {"internal/owner"},
		"session":           {"internal/fold"},
		"policy":            {"internal/fold"},
		"rpcparse":          {"rpcparse"},
	}
	for pkg, below := range may {
		out, err := exec.Command("go", "list", "-f", `{{join .Imports "\n"}}`, "../"+pkg).Output()
		if err != nil {
			t.Fatalf("go list %s: %v", pkg, err)
		}
		for _, path := range strings.Fields(string(out)) {
			own, ours := strings.CutPrefix(path, module)
			if !ours {
				continue
			}
			allowed := strings.HasPrefix(own, pkg+"/")
			for _, b := range below {
				allowed = allowed || own == b || strings.HasPrefix(own, b+"/")
			}
			if !allowed || own == "session/directory" {
				t.Errorf("%s imports %s", pkg, own)
			}
		}
	}
}
