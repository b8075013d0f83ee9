package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// commands returns the command lines of all commands, the program itself among them.
func commands() (all [][]string) {
	root := newRootCommand()
	strict(root)
	each(root, func(cmd *cobra.Command) { all = append(all, strings.Fields(cmd.CommandPath())[1:]) })
	return all
}

// wrong fails unless a command line is refused as one, with a message that names what
// is wrong and how to get help.
func wrong(t *testing.T, says string, args ...string) {
	t.Helper()
	stdout, stderr, err := runProgram(args...)
	if exitCode(err) != exitUsage || stdout != "" || !strings.HasPrefix(stderr, "Error: ") || !strings.Contains(stderr, says) || !strings.Contains(stderr, "--help'") {
		t.Errorf("%q: %v, standard output %q, standard error %q; want exit code 2 and %q", args, err, stdout, stderr, says)
	}
	if strings.Count(stderr, "\n") > 2 {
		t.Errorf("%q: more than two lines on standard error: %q", args, stderr)
	}
}

func TestEveryCommandRefusesAnUnknownFlag(t *testing.T) {
	for _, command := range commands() {
		wrong(t, "--no-such-flag", append(command, "--no-such-flag")...)
	}
}

func TestEveryCommandRefusesSurplusArguments(t *testing.T) {
	for _, command := range commands() {
		wrong(t, "", append(command, "one", "two", "three")...)
	}
}

func TestEveryCommandThatNeedsAnArgumentNamesTheMissingOne(t *testing.T) {
	for command, says := range map[string]string{
		"": "no command", "serve": "no configuration file", "check": "no configuration file", "rules": "no configuration file",
		"standby": "no configuration file", "probe": "TARGET", "decode": "FILE", "completion": "expected bash",
	} {
		wrong(t, says, strings.Fields(command)...)
	}
	for _, command := range []string{"serve", "check", "rules", "standby"} {
		wrong(t, "no configuration file", command, "--config", "")
		wrong(t, "no configuration file", command, "")
		wrong(t, "--config", command, "--config")
		wrong(t, "two configuration files", command, "a.yaml", "--config", "b.yaml")
	}
}

func TestUnknownCommandsAreRefused(t *testing.T) {
	wrong(t, `unknown command "chek": is it check?`, "chek")
	wrong(t, `unknown command "Serve"`, "Serve", "--config", "x")
	wrong(t, `unknown command "nothing"`, "help", "nothing")
	wrong(t, `unknown command "csh": is it bash`, "completion", "csh")
	wrong(t, "--format", "decode", "x", "--format")
	wrong(t, "xml", "decode", "x", "--format", "xml")
	wrong(t, "can be", "rules", "--apply", "--remove")
	wrong(t, "need no configuration file", "rules", "--remove", "x.yaml")
}

func TestHelpIsNoMistake(t *testing.T) {
	for _, command := range commands() {
		for _, args := range [][]string{append(slices.Clone(command), "--help"), append([]string{"help"}, command...)} {
			stdout, stderr, err := runProgram(args...)
			if err != nil || stderr != "" || !strings.Contains(stdout, "Usage:") {
				t.Errorf("%q: %v, standard output %q, standard error %q", args, err, stdout, stderr)
			}
		}
	}
}

func TestEveryCommandWithAConfigurationSaysWhatIsWrongWithTheFile(t *testing.T) {
	folder := t.TempDir()
	empty, absent := filepath.Join(folder, "empty.yaml"), filepath.Join(folder, "absent.yaml")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"serve", "check", "rules", "standby"} {
		for file, says := range map[string]string{
			absent: "absent.yaml: no such file", folder: folder + ": is a directory", empty: "empty.yaml:1: found an empty file",
		} {
			for _, args := range [][]string{{command, file}, {command, "--config", file}, {command, "-c", file}} {
				stdout, stderr, err := runProgram(args...)
				if exitCode(err) != exitFailed || stdout != "" || strings.Count(stderr, says) != 1 || strings.Count(stderr, "\n") != 1 {
					t.Errorf("%q: %v, standard output %q, standard error %q; want exit code 1 and %q", args, err, stdout, stderr, says)
				}
			}
		}
	}
}

func TestCheckTakesTheFileAsAnArgument(t *testing.T) {
	for _, args := range [][]string{{"../../testdata/config/minimal.yaml", "--no-files"}, {"--no-files", "-c", "../../testdata/config/minimal.yaml"}} {
		if stdout, stderr, err := runCheck(args...); err != nil || stderr != "" || !strings.Contains(stdout, "dc1") {
			t.Errorf("%q: %v, standard output %q, standard error %q", args, err, stdout, stderr)
		}
	}
}
