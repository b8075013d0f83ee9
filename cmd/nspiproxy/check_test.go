package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// runCheck runs "nspiproxy check" with args. The error is the exit code, if that is not 0.
func runCheck(args ...string) (stdout, stderr string, err error) {
	return runProgram(append([]string{"check"}, args...)...)
}

// runProgram runs the program as main does.
func runProgram(args ...string) (stdout, stderr string, err error) {
	var out, errOut bytes.Buffer
	root := newRootCommand()
	root.SetOut(&out)
	root.SetErr(&errOut)
	if code := run(context.Background(), root, args); code != 0 {
		err = exitError{code, fmt.Errorf("exit code %d", code)}
	}
	return out.String(), errOut.String(), err
}

func TestCheckPrintsTheEffectivePolicy(t *testing.T) {
	stdout, stderr, err := runCheck("--no-files", "--config", "../../testdata/config/minimal.yaml")
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
	const first = "warning: ../../testdata/config/warnings.yaml:5:44: backends[0].also[0]: found 2001:db8:1::10, to which no transparent listener leads"
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

// withKeytab is a configuration with a keytab of these bytes.
func withKeytab(t *testing.T, keytab []byte) (config string) {
	t.Helper()
	folder := t.TempDir()
	config, keys := filepath.Join(folder, "nspiproxy.yaml"), filepath.Join(folder, "dc1.keytab")
	minimal, err := os.ReadFile("../../testdata/config/minimal.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for file, data := range map[string][]byte{keys: keytab, config: append(minimal, "\nidentity: {keytabs: ["+keys+"]}\n"...)} {
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return config
}

// keytabOf is a keytab with an arcfour-hmac key of a name.
func keytabOf(name string) []byte {
	be := binary.BigEndian
	text := func(e []byte, s string) []byte { return append(be.AppendUint16(e, uint16(len(s))), s...) }
	e := text(text(be.AppendUint16(nil, 1), "LAB.TEST"), name)
	e = append(e, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 23) // type of the name, time, version, type of the key
	e = text(e, strings.Repeat("k", 16))
	return append(be.AppendUint32([]byte{5, 2}, uint32(len(e))), e...)
}

func TestCheckTellsWhichUsersAKeytabTellsApart(t *testing.T) {
	for name, want := range map[string]string{"svc-bes": "Kerberos    by network of the client", "dc1$": "Kerberos    by SID"} {
		stdout, _, err := runCheck("--config", withKeytab(t, keytabOf(name)))
		if err != nil || !strings.Contains(stdout, want) {
			t.Errorf("%s: error %v, standard output\n%s", name, err, stdout)
		}
	}
}

func TestCheckFailsForAFileThatIsNoKeytab(t *testing.T) {
	for name, keytab := range map[string]string{"empty": "", "text": "junk\n", "cut": "\x05\x02\x00\x00\x00\x40key"} {
		stdout, stderr, err := runCheck("--config", withKeytab(t, []byte(keytab)))
		if err == nil || stdout != "" || !strings.Contains(stderr, ":6:22: identity.keytabs[0]: found ") || !strings.Contains(stderr, "dc1.keytab") {
			t.Errorf("%s: error %v, standard error %q", name, err, stderr)
		}
	}
}

func TestCheckNeedsAFile(t *testing.T) {
	if _, stderr, err := runCheck(); err == nil || !strings.Contains(stderr, "config") {
		t.Errorf("error %v, standard error %q", err, stderr)
	}
}
