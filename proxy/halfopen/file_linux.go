package halfopen

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// openLocked opens a file, and creates it, for this program alone.
func openLocked(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: it is not a regular file", path)
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
