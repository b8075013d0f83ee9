package policy

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
)

// maxPrivate is the greatest size of a file with secrets in bytes: a keytab of
// thousands of keys.
const maxPrivate = 1 << 20

// notPrivate is the error of a file with secrets that others can use.
type notPrivate struct {
	path string
	mode fs.FileMode
}

// Error says what is wrong and how to put it right.
func (e *notPrivate) Error() string {
	return fmt.Sprintf("%s can be used by others than its owner (mode %04o): chmod 600 %[1]s", e.path, e.mode.Perm())
}

// CheckPrivate returns an error if a file with secrets, a keytab or a password,
// cannot be read, or if its group or others can read or change it.
func CheckPrivate(path string) error {
	f, err := openPrivate(path)
	if err != nil {
		return err
	}
	return f.Close()
}

// ReadPrivate reads a file with secrets, and only if it is private: it is the
// file that was checked, whoever exchanges it meanwhile. Errors never hold what
// is in it.
func ReadPrivate(path string) ([]byte, error) {
	f, err := openPrivate(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxPrivate+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxPrivate {
		return nil, fmt.Errorf("%s has more than %d bytes", path, maxPrivate)
	}
	return data, nil
}

// ReadPassword reads a private file that has a password in it. A line end behind it does
// not count, and neither does the mark at the beginning that editors on Windows write.
func ReadPassword(path string) ([]byte, error) {
	data, err := ReadPrivate(path)
	if err != nil {
		return nil, err
	}
	password := bytes.TrimRight(bytes.TrimPrefix(data, []byte("\ufeff")), "\r\n")
	switch {
	case len(password) == 0:
		return nil, fmt.Errorf("%s is empty", path)
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
		return nil, fmt.Errorf("%s is text in UTF-16, as PowerShell writes it: it must be UTF-8", path)
	case bytes.ContainsAny(password, "\x00\r\n"):
		return nil, fmt.Errorf("%s has more than one line", path)
	}
	return password, nil
}

func openPrivate(path string) (*os.File, error) {
	// Looked at before it is opened too: to open a named pipe waits for a writer.
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", path)
	}
	// Windows keeps permissions elsewhere, and only checks files there.
	if err == nil && info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" {
		err = &notPrivate{path, info.Mode()}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
