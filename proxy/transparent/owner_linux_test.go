package transparent

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A run as root in the folder of the service's user must leave a file that the service can
// use.
func TestStateFileOfARunAsRootBelongsToWhomTheFolderDoes(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	const user = 65534
	folder := t.TempDir()
	if err := os.Chown(folder, user, user); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "ports.json")
	o := openPorts(file)
	o.learn(t, "10.0.5.11:49677")
	o.closed(t)
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if s := info.Sys().(*syscall.Stat_t); s.Uid != user || s.Gid != user {
		t.Errorf("the file belongs to %d:%d", s.Uid, s.Gid)
	}
}

func TestStateFileThatCannotBeWrittenNamesTheRemedy(t *testing.T) {
	for err, want := range map[error]string{
		os.ErrNotExist:   "install -d -m 700 -o USER -g USER /var/lib/nspiproxy",
		os.ErrPermission: "chown -R USER: /var/lib/nspiproxy",
	} {
		if got := stateRemedy("/var/lib/nspiproxy/ports.json", err); !strings.Contains(got, want) {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
}

// A folder in place of the file is a mistake in the configuration: it must stay where it is.
func TestFolderInPlaceOfAStateFileStays(t *testing.T) {
	folder := t.TempDir()
	o := openPorts(folder)
	if err := <-o.reports; err == nil || !strings.Contains(err.Error(), "it is a folder") {
		t.Errorf("reported %v", err)
	}
	o.learn(t, "10.0.5.11:49677")
	_ = o.Close()
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		t.Errorf("the folder is %v, error %v", info, err)
	}
	if _, err := os.Stat(folder + brokenSuffix); err == nil {
		t.Error("the folder was renamed")
	}
}
