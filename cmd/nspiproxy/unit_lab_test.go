//go:build lab

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestSystemdAcceptsTheUnit asks systemd's own checker, for which a program has
// to be where the unit says.
func TestSystemdAcceptsTheUnit(t *testing.T) {
	text, err := os.ReadFile(unitFile)
	if err != nil {
		t.Fatal(err)
	}
	check := func(text string) string {
		file := filepath.Join(t.TempDir(), "nspiproxy.service")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("systemd-analyze", "verify", "--man=no", file).CombinedOutput()
		if err != nil {
			return string(out) + err.Error()
		}
		return string(out)
	}
	good := strings.ReplaceAll(string(text), "/usr/local/bin/nspiproxy", "/bin/true")
	if complaint := check(good); complaint != "" {
		t.Error(complaint)
	}
	if complaint := check(strings.Replace(good, "NoNewPrivileges=yes", "NoNewPrivilege=yes", 1)); !strings.Contains(complaint, "NoNewPrivilege") {
		t.Errorf("a wrong key is accepted: %q", complaint)
	}
}
