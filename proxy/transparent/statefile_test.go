package transparent

import (
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// opened is an open store and what it reported.
type opened struct {
	*Ports
	reports chan error
}

// openPorts opens a store that is closed with the test at the latest.
func openPorts(path string) opened {
	o := opened{reports: make(chan error, 100)}
	o.Ports = OpenPorts(path, func(err error) { o.reports <- err })
	return o
}

// closed closes the store and fails the test if the file was not written.
func (o opened) closed(t *testing.T) {
	t.Helper()
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
}

func (o opened) learn(t *testing.T, text string) {
	t.Helper()
	for _, p := range ports(text) {
		if isNew, err := o.Learn(p); err != nil || !isNew {
			t.Fatalf("Learn(%s) = %v, %v", p, isNew, err)
		}
	}
}

func TestLearntPortsAreThereAfterARestart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ports.json")
	first := openPorts(file)
	first.learn(t, "10.0.5.11:49677 [fd00:5::11]:49677 10.0.5.12:49152")
	if _, _, err := first.Confirm(netip.MustParseAddr("10.0.5.12"), []uint16{49153}); err != nil {
		t.Fatal(err)
	}
	first.closed(t)
	second := openPorts(file)
	defer second.closed(t)
	if got, want := second.List(), ports("10.0.5.11:49677 10.0.5.12:49153 [fd00:5::11]:49677"); !slices.Equal(got, want) {
		t.Errorf("after a restart %v, want %v", got, want)
	}
	if len(first.reports)+len(second.reports) != 0 {
		t.Errorf("reported %v", <-first.reports)
	}
}

func TestStateFileIsForItsOwnerAloneAndAloneInItsFolder(t *testing.T) {
	folder := t.TempDir()
	o := openPorts(filepath.Join(folder, "ports.json"))
	o.learn(t, "10.0.5.11:49677")
	o.closed(t)
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 1 {
		t.Fatalf("in the folder: %v, error %v", entries, err)
	}
	info, err := entries[0].Info()
	if err != nil || (info.Mode().Perm() != 0o600 && runtime.GOOS != "windows") {
		t.Errorf("mode %v, error %v", info.Mode(), err)
	}
}

func TestStateFileIsWrittenOnlyWhenSomethingChanged(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ports.json")
	o := openPorts(file)
	o.learn(t, "10.0.5.11:49677")
	o.closed(t)
	before, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	o = openPorts(file)
	if isNew, err := o.Learn(ports("10.0.5.11:49677")[0]); isNew || err != nil {
		t.Fatal(isNew, err)
	}
	if _, _, err := o.Confirm(netip.MustParseAddr("10.0.5.11"), []uint16{49677}); err != nil {
		t.Fatal(err)
	}
	o.closed(t)
	if after, err := os.Stat(file); err != nil || !os.SameFile(before, after) {
		t.Errorf("another file, error %v", err) // it is replaced when it is written
	}
}

func TestUnusableStateFileIsPutAsideAndPortsAreLearntAnew(t *testing.T) {
	for _, u := range unusable {
		file := filepath.Join(t.TempDir(), "ports.json")
		if err := os.WriteFile(file, []byte(u.text), 0o600); err != nil {
			t.Fatal(err)
		}
		o := openPorts(file)
		if err := <-o.reports; err == nil || !strings.Contains(err.Error(), u.reason) || !strings.Contains(err.Error(), file+".broken now") {
			t.Errorf("%s: reported %v", u.name, err)
		}
		o.learn(t, "10.0.5.11:49677")
		o.closed(t)
		if kept, err := os.ReadFile(file + ".broken"); err != nil || string(kept) != u.text {
			t.Errorf("%s: put aside: %d bytes, error %v", u.name, len(kept), err)
		}
		if got, err := ReadPorts(file); err != nil || len(got) != 1 {
			t.Errorf("%s: then written %v, error %v", u.name, got, err)
		}
	}
}

func TestLinkInPlaceOfTheStateFileIsPutAsideAndItsTargetLeftAlone(t *testing.T) {
	folder := t.TempDir()
	target, file := filepath.Join(folder, "target"), filepath.Join(folder, "ports.json")
	if err := os.WriteFile(target, []byte(stateOfTwo), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, file); err != nil {
		t.Skip("no symbolic links here: ", err)
	}
	o := openPorts(file)
	o.learn(t, "10.0.5.99:1")
	o.closed(t)
	if text, err := os.ReadFile(target); err != nil || string(text) != stateOfTwo {
		t.Errorf("the target is %q, error %v", text, err)
	}
	if info, err := os.Lstat(file); err != nil || !info.Mode().IsRegular() {
		t.Errorf("the state file is %v, error %v", info.Mode(), err)
	}
}

func TestFolderThatCannotBeWrittenIsReportedOnceAndTheStoreWorks(t *testing.T) {
	file := filepath.Join(t.TempDir(), "missing", "ports.json")
	o := openPorts(file)
	err := <-o.reports // without anything learnt
	if err == nil || !strings.Contains(err.Error(), "learnt ports cannot be kept in "+file+": no such file or directory") {
		t.Errorf("reported %v", err)
	}
	o.learn(t, "10.0.5.11:49677 10.0.5.12:49677")
	if o.Close() == nil {
		t.Error("closed without an error")
	}
	if len(o.List()) != 2 || len(o.reports) != 0 {
		t.Errorf("ports %v, reports %d", o.List(), len(o.reports))
	}
}

func TestStateFileIsWrittenWhenItsFolderComesBack(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "later")
	o := openPorts(filepath.Join(folder, "ports.json"))
	if err := <-o.reports; err == nil {
		t.Fatal("no error")
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	o.learn(t, "10.0.5.11:49677")
	if err := <-o.reports; err != nil {
		t.Errorf("reported %v", err)
	}
	if got, err := ReadPorts(filepath.Join(folder, "ports.json")); err != nil || len(got) != 1 {
		t.Errorf("written %v, error %v", got, err)
	}
	o.closed(t)
}
