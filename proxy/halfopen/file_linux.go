package halfopen

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/nspiproxy/nspiproxy/internal/owner"
)

// openLocked opens a file, and creates it, for this program alone.
func openLocked(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if errors.Is(err, unix.EACCES) {
		err = fmt.Errorf("%w (it must belong to the program's user: chown -R USER: %s)", err, filepath.Dir(path))
	}
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: it is not a regular file", path)
	}
	if err == nil {
		err = owner.OfFolder(file)
	}
	if err == nil {
		err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = fmt.Errorf("%s: another program has it", path)
		}
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}
