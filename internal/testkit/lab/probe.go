package lab

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/nspiproxy/nspiproxy/proxy/probe"
)

// Probe runs nspiproxy probe and returns its report and its exit code.
func Probe(t testing.TB, args ...string) (probe.Report, int) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(Program(t), append([]string{"probe", "--json"}, args...)...)
	// A race of the process that probes ends it without a report; otherwise no exit waits a second for more.
	cmd.Env = append(os.Environ(), "GORACE=halt_on_error=1 atexit_sleep_ms=0")
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	var r probe.Report
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
		t.Fatalf("probe %q says %q: %v\n%s", args, stdout.String(), err, stderr.String())
	}
	return r, cmd.ProcessState.ExitCode()
}

// PasswordFile makes a private file with u's password.
func PasswordFile(t testing.TB, u User) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(u.Password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
