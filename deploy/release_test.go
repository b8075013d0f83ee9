// Package deploy tests what a release is built from and delivered with.
package deploy

import (
	"go/version"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/module"
)

// firstFixed is the first release of Go 1.26 without the vulnerabilities of the standard library that the proxy
// could reach in go1.26.8. What has become known since is found by .ci/vuln.
const firstFixed = "go1.26.10"

func text(t *testing.T, name ...string) string {
	t.Helper()
	b, err := os.ReadFile(module.Path(t, name...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestReleasesAreBuiltWithTheToolchainOfTheModule: the image, the README and go.mod name the same release of Go.
func TestReleasesAreBuiltWithTheToolchainOfTheModule(t *testing.T) {
	line := regexp.MustCompile(`(?m)^toolchain (go1\.\d+\.\d+)$`).FindStringSubmatch(text(t, "go.mod"))
	if line == nil {
		t.Fatal("go.mod has no toolchain line with a whole version")
	}
	toolchain := line[1]
	image := regexp.MustCompile(`(?m)^FROM golang:(\S+) AS build$`).FindStringSubmatch(text(t, "Dockerfile"))
	if image == nil || "go"+image[1] != toolchain {
		t.Errorf("the image is built with %q, go.mod names %s", image, toolchain)
	}
	if !strings.Contains(text(t, "README.md"), toolchain) {
		t.Errorf("the README does not name %s", toolchain)
	}
	if version.Compare(toolchain, firstFixed) < 0 {
		t.Errorf("%s has vulnerabilities that are fixed in %s", toolchain, firstFixed)
	}
}
