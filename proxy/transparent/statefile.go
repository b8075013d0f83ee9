package transparent

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/owner"
)

// retryAfter is the time until a state file that could not be written is tried
// again: a full disk or a folder that comes back is a matter of minutes.
const retryAfter = 10 * time.Second

// brokenSuffix names the file that an unusable state file becomes.
const brokenSuffix = ".broken"

// OpenPorts returns the store that is kept in the state file of that path. The
// store works whatever is the matter with the file: an unusable one is put aside
// under the name with ".broken" and the ports are learnt anew. report is told of
// that, and of each new reason why the file cannot be written, with nil when it
// can again; it is called before OpenPorts returns or from a goroutine of the
// store.
func OpenPorts(path string, report func(error)) *Ports {
	p, err := readState(path)
	if err != nil {
		p = newPorts()
		report(putAside(path, err))
	}
	p.file = &stateFile{
		path: path, report: report,
		dirty: make(chan struct{}, 1), stop: make(chan struct{}), stopped: make(chan error, 1),
	}
	if _, err := os.Lstat(path); err == nil {
		p.file.written = encodeState(p.list())
	} else {
		p.file.wake() // at once, so that a folder that is missing is found now
	}
	go p.file.keep(p)
	return p
}

// putAside renames an unusable state file and returns what to tell about it.
func putAside(path string, why error) error {
	if info, err := os.Lstat(path); err == nil && info.IsDir() {
		return fmt.Errorf("state file %s: it is a folder; learnt ports are not kept", path)
	}
	aside := path + brokenSuffix
	if err := os.Rename(path, aside); err != nil {
		return fmt.Errorf("state file %s: %w; learnt ports are not kept until it is removed (%w)", path, why, err)
	}
	return fmt.Errorf("state file %s: %w; it is %s now, and ports are learnt anew", path, why, aside)
}

// Close writes what is not written yet and ends the store's goroutine. Its error
// is why the file could not be written.
func (p *Ports) Close() error {
	if p.file == nil {
		return nil
	}
	close(p.file.stop)
	return <-p.file.stopped
}

// stateFile keeps a store in its file.
type stateFile struct {
	path    string
	report  func(error)
	dirty   chan struct{} // has one message while the file may be behind
	stop    chan struct{}
	stopped chan error

	// These belong to keep.
	written []byte // what is in the file
	problem string // what report was told last
}

// wake tells keep that the store has changed. It never waits.
func (f *stateFile) wake() {
	select {
	case f.dirty <- struct{}{}:
	default:
	}
}

// keep writes the file whenever the store has changed.
func (f *stateFile) keep(p *Ports) {
	var retry <-chan time.Time
	for {
		stopping := false
		select {
		case <-f.dirty:
		case <-retry:
		case <-f.stop:
			stopping = true
		}
		err := f.write(encodeState(p.List()))
		if stopping {
			f.stopped <- err
			return
		}
		retry = nil
		if err != nil {
			retry = time.After(retryAfter)
		}
		f.tell(err)
	}
}

// tell reports err when it is news.
func (f *stateFile) tell(err error) {
	problem := ""
	if err != nil {
		problem = err.Error()
	}
	if problem != f.problem {
		f.problem = problem
		f.report(err)
	}
}

// write replaces the file in one step, if that changes it.
func (f *stateFile) write(text []byte) error {
	if bytes.Equal(text, f.written) {
		return nil
	}
	if err := replaceFile(f.path, text); err != nil {
		return fmt.Errorf("learnt ports cannot be kept in %s: %w%s", f.path, reason(err), stateRemedy(f.path, err))
	}
	f.written = text
	return nil
}

// stateRemedy says what can be done about a file that cannot be written; empty: nothing is
// known.
func stateRemedy(path string, err error) string {
	folder := filepath.Dir(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Sprintf(" (the folder is missing: StateDirectory= in the unit makes it, or install -d -m 700 -o USER -g USER %s)", folder)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf(" (the folder must belong to the program's user: chown -R USER: %s)", folder)
	}
	return ""
}

// replaceFile writes a file of its owner alone beside path and gives it that
// name: at any moment there is the old one or the new one.
func replaceFile(path string, text []byte) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".") // 0600
	if err != nil {
		return err
	}
	_, err = temporary.Write(text)
	if err == nil {
		err = owner.OfFolder(temporary)
	}
	if err == nil {
		err = temporary.Sync()
	}
	err = errors.Join(err, temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary.Name()))
	}
	syncFolder(filepath.Dir(path))
	return nil
}

// syncFolder makes a rename survive a crash, where folders can be synchronized.
// Elsewhere the old file may come back, which is a good one too.
func syncFolder(path string) {
	if folder, err := os.Open(path); err == nil {
		_ = folder.Sync()
		folder.Close()
	}
}
