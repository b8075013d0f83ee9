package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// commandLine is a call of the program in a block of commands, or in the unit and the
// Dockerfile.
var commandLine = regexp.MustCompile(`(?m)^(?:# |#   |    )?\s*(?:\$ )?(?:\./|ExecStart(?:Pre)?=/usr/local/bin/|ExecStopPost=/usr/local/bin/)?nspiproxy +((?:check|serve|rules|standby|probe|decode|demo)\b[^\n|#]*)`)

// TestDocumentedCommandLinesAreRight: what the pages show can be typed.
func TestDocumentedCommandLinesAreRight(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, page := range append(pages, "../../README.md", "../../deploy/nspiproxy.service") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range commandLine.FindAllStringSubmatch(string(text), -1) {
			found++
			args := strings.Fields(strings.ReplaceAll(strings.TrimSuffix(strings.TrimSpace(m[1]), `"`), "'", ""))
			root := newRootCommand()
			strict(root)
			cmd, rest, err := root.Find(args)
			if err == nil {
				err = cmd.ParseFlags(rest)
			}
			if err == nil {
				err = cmd.ValidateArgs(cmd.Flags().Args())
			}
			if err != nil {
				t.Errorf("%s: nspiproxy %s: %v", page, m[1], err)
			}
		}
	}
	if found < 25 {
		t.Errorf("%d command lines were found", found)
	}
}
