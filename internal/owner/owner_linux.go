package owner

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// OfFolder makes the owner of f's folder the owner of f, if this runs as root. Users other
// than root cannot give files away, and need not.
func OfFolder(f *os.File) error {
	if os.Geteuid() != 0 {
		return nil
	}
	folder, err := owner(os.Stat(filepath.Dir(f.Name())))
	if err != nil {
		return err
	}
	file, err := owner(f.Stat())
	if err != nil || file == folder {
		return err
	}
	return f.Chown(folder.user, folder.group)
}

type ids struct{ user, group int }

func owner(info os.FileInfo, err error) (ids, error) {
	if err != nil {
		return ids{}, err
	}
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ids{}, fmt.Errorf("%s: the owner is not known", info.Name())
	}
	return ids{int(s.Uid), int(s.Gid)}, nil
}
