package inspect_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// packages runs go list on this package and returns the words of its answer.
func packages(t *testing.T, args ...string) []string {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list"}, args...)...).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	return strings.Fields(string(out))
}

// The decisions run in a reader of captures and on other systems as well, so
// nothing below them may open a socket, write logs or count metrics. Package net
// itself is among the dependencies, because gokrb5, whose types rpcparse/secctx/krb5
// reads tickets with, imports it; no package of this module that inspect needs does.
func TestNoSocketsLogsOrMetricsBelowTheDecisions(t *testing.T) {
	for _, p := range packages(t, "-deps", ".") {
		for _, unwanted := range []string{"github.com/rs/zerolog", "github.com/prometheus/", "golang.org/x/sys/unix",
			"github.com/nspiproxy/nspiproxy/proxy/relay", "github.com/nspiproxy/nspiproxy/proxy/backend"} {
			if strings.HasPrefix(p, unwanted) {
				t.Errorf("inspect depends on %s", p)
			}
		}
	}
	imports := packages(t, "-deps", "-f", `{{if .Module}}{{if .Module.Main}}{{range .Imports}}{{.}} {{end}}{{end}}{{end}}`, ".")
	if len(imports) == 0 {
		t.Fatal("go list names no imports")
	}
	for _, unwanted := range []string{"net", "net/http", "log", "log/slog", "syscall", "testing"} {
		if slices.Contains(imports, unwanted) {
			t.Errorf("inspect, or a package of this module below it, imports %s", unwanted)
		}
	}
}
