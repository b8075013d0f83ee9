// Package module finds the folder of this module, so that tests name its files the same way from every package.
package module

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// Root returns the folder that holds go.mod: the working folder of the test or one above it. It is an error if there
// is none.
func Root() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for folder := start; ; folder = filepath.Dir(folder) {
		if _, err := os.Stat(filepath.Join(folder, "go.mod")); err == nil {
			return folder, nil
		}
		if folder == filepath.Dir(folder) {
			return "", fmt.Errorf("neither %s nor any folder above it has a go.mod", start)
		}
	}
}

// Path returns the path of a file of the module, which name gives element by element. It fails the test without one.
func Path(t testing.TB, name ...string) string {
	t.Helper()
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(append([]string{root}, name...)...)
}
