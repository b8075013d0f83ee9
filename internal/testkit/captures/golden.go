package captures

import (
	"iter"
	"path/filepath"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/module"
)

// goldenFolder is where the golden conversations are, below the module's folder, and what their names begin with.
const goldenFolder = "testdata/conversations/"

// The accounts of the golden conversations' domain.
const (
	GoldenDomain   = "LAB"
	GoldenUser     = "alice"
	GoldenPassword = "Secret.123"
)

// GoldenFiles lists the golden conversations: captures of this repository, recorded between its own client and its
// simulated domain controller. testdata/conversations/README.md says what is in which.
func GoldenFiles(t testing.TB) []File {
	t.Helper()
	paths, err := filepath.Glob(module.Path(t, goldenFolder, "*.pcap"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no golden conversations: %v", err)
	}
	var files []File
	for _, path := range paths {
		files = append(files, File{Name: goldenFolder + filepath.Base(path), Path: path})
	}
	return files
}

// Golden yields every golden conversation, file by file. They are there on every machine: nothing skips.
func Golden(t testing.TB) iter.Seq[Conversation] {
	t.Helper()
	return conversations(t, GoldenFiles(t))
}
