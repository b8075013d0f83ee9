package transparent

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const stateOfTwo = `{
  "version": 1,
  "ports": [
    {
      "address": "10.0.5.11",
      "ports": [
        49670,
        49677
      ]
    },
    {
      "address": "fd00:5::11",
      "ports": [
        49152
      ]
    }
  ]
}
`

func TestStateIsReadAsItWasWritten(t *testing.T) {
	want := ports("10.0.5.11:49670 10.0.5.11:49677 [fd00:5::11]:49152")
	if got := encodeState(want); string(got) != stateOfTwo {
		t.Errorf("written %s", got)
	}
	store, err := decodeState([]byte(stateOfTwo))
	if err != nil || !slices.Equal(store.List(), want) {
		t.Errorf("read %v, error %v", store.List(), err)
	}
}

// unusable is files that are no state files of this version.
var unusable = []struct{ name, text, reason string }{
	{"empty", "", "damaged"},
	{"truncated", stateOfTwo[:len(stateOfTwo)/2], "damaged"},
	{"something after it", stateOfTwo + "{}", "damaged"},
	{"binary", "\x00\x01\x02", "damaged"},
	{"another version", `{"version": 2, "ports": {}}`, "it has version 2, this program writes 1"},
	{"no version", `{"ports": []}`, "it has version 0"},
	{"unknown field", `{"version": 1, "ports": [], "secret": "hunter2"}`, "no state file of this version"},
	{"another type", `{"version": 1, "ports": [{"address": "10.0.5.11", "ports": ["hunter2"]}]}`, "no state file of this version"},
	{"port too large", `{"version": 1, "ports": [{"address": "10.0.5.11", "ports": [65536]}]}`, "no state file of this version"},
	{"port 0", `{"version": 1, "ports": [{"address": "10.0.5.11", "ports": [0]}]}`, "no port"},
	{"no host", `{"version": 1, "ports": [{"address": "0.0.0.0", "ports": [1]}]}`, "not the address of a host"},
	{"no address", `{"version": 1, "ports": [{"ports": [1]}]}`, "not the address of a host"},
	{"twice", `{"version": 1, "ports": [{"address": "10.0.5.11", "ports": [1, 1]}]}`, "10.0.5.11:1 is in it twice"},
	{"too large", strings.Repeat(" ", maxState) + stateOfTwo, "more than 1048576 bytes"},
}

func TestUnusableStateFilesAreErrorsThatSayWhatToDo(t *testing.T) {
	for _, u := range unusable {
		file := filepath.Join(t.TempDir(), "ports.json")
		if err := os.WriteFile(file, []byte(u.text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := ReadPorts(file)
		if got != nil || err == nil || !strings.Contains(err.Error(), u.reason) || !strings.Contains(err.Error(), file) ||
			!strings.Contains(err.Error(), "learnt anew once it is removed") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: ports %v, error %v", u.name, got, err)
		}
	}
}

func TestLinksAndFoldersAreNotRead(t *testing.T) {
	folder := t.TempDir()
	target, link := filepath.Join(folder, "target"), filepath.Join(folder, "link")
	if err := os.WriteFile(target, []byte(stateOfTwo), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Skip("no symbolic links here: ", err)
	}
	for _, path := range []string{link, folder} {
		if got, err := ReadPorts(path); got != nil || err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("%s: ports %v, error %v", path, got, err)
		}
	}
}

func TestNoStateFileIsNoPorts(t *testing.T) {
	if got, err := ReadPorts(filepath.Join(t.TempDir(), "ports.json")); err != nil || len(got) != 0 {
		t.Errorf("ports %v, error %v", got, err)
	}
}

func FuzzState(f *testing.F) {
	f.Add([]byte(stateOfTwo))
	for _, u := range unusable {
		if len(u.text) < 1000 {
			f.Add([]byte(u.text))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		store, err := decodeState(text)
		if err != nil {
			return
		}
		written := encodeState(store.List())
		again, err := decodeState(written)
		if err != nil || !bytes.Equal(encodeState(again.List()), written) {
			t.Errorf("%q is written as %q, which reads as %v, error %v", text, written, again, err)
		}
	})
}
