package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// runCheck runs "nspiproxy check" with args.
func runCheck(args ...string) (stdout, stderr string, err error) {
	var out, errOut bytes.Buffer
	cmd := newCheckCommand()
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&errOut)
	err = cmd.Execute()
	return out.String(), errOut.String(), err
}

func TestCheckPrintsTheEffectivePolicy(t *testing.T) {
	stdout, stderr, err := runCheck("--config", "../../testdata/config/minimal.yaml")
	if err != nil || stderr != "" {
		t.Fatalf("error %v, standard error %q", err, stderr)
	}
	want, err := os.ReadFile("../../testdata/config/minimal.txt")
	if err != nil {
		t.Fatal(err)
	}
	if stdout != string(want) {
		t.Errorf("got\n%s\nwant\n%s", stdout, want)
	}
}

func TestCheckPrintsWarningsAndSucceeds(t *testing.T) {
	stdout, stderr, err := runCheck("--config", "../../testdata/config/warnings.yaml")
	if err != nil || stdout == "" {
		t.Fatalf("error %v, standard output %q", err, stdout)
	}
	const first = "warning: ../../testdata/config/warnings.yaml:5: backends[0].also[0]: found 2001:db8:1::10, to which no transparent listener leads"
	if !strings.HasPrefix(stderr, first) {
		t.Errorf("standard error %q does not begin with %q", stderr, first)
	}
}

func TestCheckPrintsEveryErrorAndFails(t *testing.T) {
	const file = "../../testdata/config/bad/references.yaml"
	stdout, stderr, err := runCheck("--config", file)
	if err == nil || stdout != "" {
		t.Fatalf("error %v, standard output %q", err, stdout)
	}
	want, err := os.ReadFile(strings.TrimSuffix(file, ".yaml") + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.ReplaceAll(stderr, file, filepath.Base(file)); got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestCheckFailsOnceForAFileThatIsNotThere(t *testing.T) {
	_, stderr, err := runCheck("--config", filepath.Join(t.TempDir(), "absent.yaml"))
	if err == nil || strings.Count(stderr, "absent.yaml") != 1 {
		t.Errorf("error %v, standard error %q", err, stderr)
	}
}

func TestCheckNeedsAFile(t *testing.T) {
	if _, stderr, err := runCheck(); err == nil || !strings.Contains(stderr, "config") {
		t.Errorf("error %v, standard error %q", err, stderr)
	}
}
