package policy

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the .txt files beside the configurations")

const configs = "../testdata/config"

// golden compares got with the file, or rewrites the file.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; got\n%s\nwant\n%s", file, got, want)
	}
}

// parseFile parses a configuration under its base name.
func parseFile(t *testing.T, file string) (*Config, error) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return Parse(filepath.Base(file), data)
}

func matching(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(configs, pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files for %s (%v)", pattern, err)
	}
	return files
}

func TestWrongFilesAreToldEveryError(t *testing.T) {
	for _, file := range matching(t, "bad/*.yaml") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			cfg, err := parseFile(t, file)
			if err == nil || cfg != nil {
				t.Fatalf("config %v, error %v; want an error and no config", cfg, err)
			}
			golden(t, strings.TrimSuffix(file, ".yaml")+".txt", err.Error()+"\n")
		})
	}
}

func TestRightFilesAreDescribedWithTheirWarnings(t *testing.T) {
	for _, file := range matching(t, "*.yaml") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			cfg, err := parseFile(t, file)
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			if err := cfg.Describe(&out, cfg.Identity.Counting()); err != nil {
				t.Fatal(err)
			}
			for _, w := range cfg.Warnings {
				out.WriteString("warning: " + w.Error() + "\n")
			}
			golden(t, strings.TrimSuffix(file, ".yaml")+".txt", out.String())
		})
	}
}
