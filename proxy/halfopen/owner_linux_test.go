package halfopen

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestRecordOfARunAsRootBelongsToWhomTheFolderDoes(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	const user = 65534
	folder := t.TempDir()
	if err := os.Chown(folder, user, user); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "connections")
	if err := os.WriteFile(path, nil, 0o600); err != nil { // an earlier version has left it
		t.Fatal(err)
	}
	f, err := Open(path, 10)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if s := info.Sys().(*syscall.Stat_t); s.Uid != user || s.Gid != user {
		t.Errorf("the file belongs to %d:%d", s.Uid, s.Gid)
	}
}
