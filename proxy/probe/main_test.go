package probe_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/proxy/probe"
)

// The roles of children, by the name of their executable. Any other is honest.
const (
	roleHonest   = "honest"
	rolePanic    = "panic"    // of a library's goroutine, which nobody can catch
	roleHog      = "hog"      // allocates what a hostile answer may ask for
	roleDeaf     = "deaf"     // does not end when told
	roleChatter  = "chatter"  // writes for ever
	roleNonsense = "nonsense" // answers with something else
)

// hoard is the memory of the hog.
var hoard [][]byte

func TestMain(m *testing.M) {
	if !slices.Equal(os.Args[1:], probe.Arguments) {
		// For children under the race detector: a race ends one without a report, and
		// no exit waits a second for more.
		_ = os.Setenv("GORACE", "halt_on_error=1 atexit_sleep_ms=0")
		os.Exit(m.Run())
	}
	var err error
	switch filepath.Base(os.Args[0]) {
	case rolePanic:
		go func() { panic("index out of range\x1b[31m") }()
		select {}
	case roleHog:
		err = probe.Serve(hogReader{os.Stdin}, os.Stdout)
	case roleDeaf:
		time.Sleep(time.Hour)
	case roleChatter:
		_, err = io.Copy(os.Stdout, endless{})
	case roleNonsense:
		fmt.Println(`{"outcome": ["ok"]}`)
	default:
		err = probe.Serve(os.Stdin, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// hogReader allocates a gigabyte once the process has limited itself.
type hogReader struct{ io.Reader }

// Read implements io.Reader.
func (r hogReader) Read(b []byte) (int, error) {
	for range 1024 {
		hoard = append(hoard, []byte(strings.Repeat("x", 1<<20)))
	}
	return r.Reader.Read(b)
}

// endless is a stream of x.
type endless struct{}

// Read implements io.Reader.
func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'x'
	}
	return len(b), nil
}

// executable returns the path of a program that is a child in a role.
func executable(t testing.TB, role string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), role)
	if err := os.Symlink(self, path); err != nil {
		t.Skip(err) // Windows lets administrators only
	}
	return path
}

// child probes in a process of its own, in a role.
func child(t *testing.T, ctx context.Context, role string, target probe.Target) probe.Report {
	t.Helper()
	return probe.Spawn(ctx, executable(t, role), target)
}
