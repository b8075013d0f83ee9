package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// runRules runs "nspiproxy rules" with args.
func runRules(args ...string) (stdout, stderr string, err error) {
	return runProgram(append([]string{"rules"}, args...)...)
}

// rulesConfig writes a configuration with a TPROXY listener whose state file has
// the given text, and returns its name.
func rulesConfig(t *testing.T, state string) string {
	t.Helper()
	folder := t.TempDir()
	stateFile, config := filepath.Join(folder, "ports.json"), filepath.Join(folder, "nspiproxy.yaml")
	text := "version: 1\nlisteners:\n  - {name: path, mode: tproxy, port: 5135, destinations: [10.0.5.0/24]}\n" +
		"transparent: {state_file: '" + stateFile + "'}\n"
	for name, content := range map[string]string{config: text, stateFile: state} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return config
}

func TestRulesPrintsAScriptWithTheLearntPorts(t *testing.T) {
	config := rulesConfig(t, `{"version": 1, "ports": [{"address": "10.0.5.11", "ports": [49677]}]}`)
	stdout, stderr, err := runRules("--config", config)
	if err != nil || stderr != "" || !strings.HasPrefix(stdout, "#!/bin/sh\n") || !strings.Contains(stdout, "10.0.5.11 . 49677") {
		t.Errorf("error %v, standard error %q, standard output %s", err, stderr, stdout)
	}
}

func TestRulesOfADamagedStateFileAreRulesAndAWarning(t *testing.T) {
	stdout, stderr, err := runRules("--config", rulesConfig(t, "{"))
	if err != nil || !strings.HasPrefix(stderr, "warning: state file ") || !strings.Contains(stdout, "tproxy ip to 127.0.0.1:5135") {
		t.Errorf("error %v, standard error %q, standard output %s", err, stderr, stdout)
	}
}

func TestRulesWithoutTransparentListenersAreNone(t *testing.T) {
	const config = "../../testdata/config/minimal.yaml"
	if stdout, _, err := runRules("--config", config); err != nil || strings.Contains(stdout, "nft") {
		t.Errorf("error %v, standard output %q", err, stdout)
	}
}

func TestRulesRefusesWhatDoesNotGoTogether(t *testing.T) {
	for _, tt := range []struct {
		args []string
		text string
	}{
		{nil, "no configuration file"},
		{[]string{"--apply"}, "no configuration file"},
		{[]string{"--apply", "--remove"}, "none of the others can be"},
		{[]string{"--config", filepath.Join(t.TempDir(), "absent")}, "no such file"},
	} {
		if _, stderr, err := runRules(tt.args...); err == nil || !strings.Contains(stderr, tt.text) {
			t.Errorf("%q: error %v, want %q in %q", tt.args, err, tt.text, stderr)
		}
	}
}
