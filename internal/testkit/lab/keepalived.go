package lab

import (
	"os"
	"path/filepath"
	"testing"
)

// StartKeepalived starts keepalived on a machine with a configuration.
func StartKeepalived(t testing.TB, on *Machine, config string) *Process {
	t.Helper()
	folder := t.TempDir()
	file := filepath.Join(folder, "keepalived.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return start(t, "keepalived on "+on.Name, on.command("keepalived", "--vrrp", "--dont-fork", "--log-console", "--log-detail",
		"--use-file", file, "--pid", filepath.Join(folder, "pid"), "--vrrp_pid", filepath.Join(folder, "vrrp.pid")))
}
