package deploy

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/module"
)

var update = flag.Bool("update", false, "write the list of licences anew")

// platforms are those that the program is built for: each links other modules.
var platforms = []string{"linux", "windows", "darwin"}

// linked is a module of which code is in the program.
type linked struct {
	Path, Version, Dir string
	Main               bool
	// folders are those of the packages that are linked and of what is above them, up to the module's own: code that was
	// taken over from others has its licence beside it.
	folders map[string]bool
}

// add notes the folder of a linked package.
func (m *linked) add(folder string) {
	for ; len(folder) > len(m.Dir); folder = filepath.Dir(folder) {
		m.folders[folder] = true
	}
	m.folders[m.Dir] = true
}

// TestLicencesOfAllLinkedModulesAreDelivered holds third-party-licenses.txt, which image and archive carry, to what
// the program is built from.
func TestLicencesOfAllLinkedModulesAreDelivered(t *testing.T) {
	name := module.Path(t, "deploy", "third-party-licenses.txt")
	want := licences(t, linkedModules(t))
	if *update {
		if err := os.WriteFile(name, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the program is built from: go test ./deploy -update", name)
	}
	if !strings.Contains(text(t, "Dockerfile"), "COPY deploy/third-party-licenses.txt ") {
		t.Error("the image has no third-party-licenses.txt")
	}
	if !strings.Contains(text(t, ".dockerignore"), "!deploy/third-party-licenses.txt") {
		t.Error("the image cannot be built: .dockerignore leaves third-party-licenses.txt out")
	}
}

// linkedModules lists the modules of the program by path, without this one.
func linkedModules(t *testing.T) []*linked {
	t.Helper()
	found := map[string]*linked{}
	for _, platform := range platforms {
		cmd := exec.Command("go", "list", "-deps", "-json=Module,Dir", "./cmd/nspiproxy")
		cmd.Dir = module.Path(t)
		cmd.Env = append(os.Environ(), "GOOS="+platform, "GOARCH=amd64", "CGO_ENABLED=0")
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		for d := json.NewDecoder(bytes.NewReader(out)); ; {
			var p struct {
				Dir    string
				Module *linked
			}
			if err := d.Decode(&p); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			if p.Module == nil || p.Module.Main {
				continue
			}
			m := found[p.Module.Path]
			if m == nil {
				m, p.Module.folders = p.Module, map[string]bool{}
				found[m.Path] = m
			}
			m.add(p.Dir)
		}
	}
	list := make([]*linked, 0, len(found))
	for _, m := range found {
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b *linked) int { return strings.Compare(a.Path, b.Path) })
	return list
}

// licences writes the texts of all modules, and of the standard library first.
func licences(t *testing.T, modules []*linked) []byte {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	fmt.Fprint(&b, "nspiproxy contains code of the following works. Written by go test ./deploy -update.\n")
	section(t, &b, "The Go programming language and its standard library", strings.TrimSpace(string(root)), nil)
	for _, m := range modules {
		section(t, &b, m.Path+" "+m.Version, m.Dir, m.folders)
	}
	return b.Bytes()
}

// terms are the files of a module that have to be delivered with its code.
var terms = regexp.MustCompile(`(?i)^(li[cs]en[cs]e|copying|notice|patents)([-.].*)?$`)

// section writes the texts of one work, which has one in its own folder at least.
func section(t *testing.T, b *bytes.Buffer, title, dir string, below map[string]bool) {
	t.Helper()
	fmt.Fprintf(b, "\n%s\n%s\n", strings.Repeat("=", 100), title)
	if texts(t, b, dir, dir) == 0 {
		t.Errorf("%s has no licence in %s", title, dir)
	}
	for _, folder := range slices.Sorted(maps.Keys(below)) {
		if folder != dir {
			texts(t, b, dir, folder)
		}
	}
}

// texts writes the texts in one folder of a work, and returns how many there are.
func texts(t *testing.T, b *bytes.Buffer, dir, folder string) (n int) {
	t.Helper()
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.IsDir() || !terms.MatchString(f.Name()) || strings.HasSuffix(f.Name(), ".go") {
			continue
		}
		name := filepath.Join(folder, f.Name())
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		content = bytes.ReplaceAll(bytes.TrimSpace(content), []byte("\r\n"), []byte("\n"))
		fmt.Fprintf(b, "%s\n%s:\n\n%s\n", strings.Repeat("-", 100), filepath.ToSlash(name[len(dir)+1:]), content)
		n++
	}
	return n
}
