package netns

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// Namespace is a network namespace. Its methods may be called from any goroutine.
type Namespace struct {
	file *os.File // keeps it alive
}

// home is the namespace that this process has begun in.
var home, homeErr = os.Open("/proc/self/ns/net")

// New makes a namespace that has a loopback interface, which is up, and nothing else.
func New() (*Namespace, error) {
	n := &Namespace{}
	err := onItsOwnThread(func() (err error) {
		if err = unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("netns: a new network namespace: %w", err)
		}
		n.file, err = os.Open("/proc/thread-self/ns/net")
		return err
	})
	if err != nil {
		return nil, err
	}
	if _, err := n.Run("ip", "link", "set", "dev", "lo", "up"); err != nil {
		n.Close()
		return nil, err
	}
	return n, nil
}

// Close lets the namespace go. Programs and sockets in it keep it until they end.
func (n *Namespace) Close() { n.file.Close() }

// Path names the namespace for nsenter, and for ip where it says netns, as long as this process runs and has not closed
// it.
func (n *Namespace) Path() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), n.file.Fd()) }

// Do runs f on a thread in the namespace, for what the thread decides: which namespace a new socket belongs to, and what
// /proc/sys/net shows. What f starts elsewhere, such as in goroutines, is not in the namespace. f must return.
func (n *Namespace) Do(f func() error) error {
	return onItsOwnThread(func() error {
		if err := unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("netns: entering: %w", err)
		}
		return f()
	})
}

// onItsOwnThread runs f on a thread that nothing else runs on meanwhile, and brings that home afterwards. Ending the thread
// instead would also end the programs that it has started, of those that are to end with their parent: for the kernel, that
// is a thread.
func onItsOwnThread(f func() error) error {
	if homeErr != nil {
		return fmt.Errorf("netns: the namespace of this process: %w", homeErr)
	}
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		err := f()
		if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back != nil {
			done <- errors.Join(err, fmt.Errorf("netns: coming back: %w", back))
			return // still locked: better no thread than one that is somewhere else
		}
		runtime.UnlockOSThread()
		done <- err
	}()
	return <-done
}

// SetSysctl sets a kernel parameter of the namespace, by its name with dots: "net.ipv4.ip_forward".
func (n *Namespace) SetSysctl(name, value string) error {
	file := filepath.Join("/proc/sys", strings.ReplaceAll(name, ".", "/"))
	return n.Do(func() error { return os.WriteFile(file, []byte(value), 0) })
}
