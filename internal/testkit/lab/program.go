package lab

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/module"
)

// roleVariable makes a copy of the test binary play another part than running tests.
const roleVariable = "NSPIPROXY_LAB_ROLE"

// raceOptions make nspiproxy fail when its race detector has found something, and spare the second that it otherwise
// waits at every end.
const raceOptions = "exitcode=66 atexit_sleep_ms=0"

// Main runs the tests of m, or what the environment asks for when the test binary has started itself as another
// program. TestMain calls it and exits with what it returns.
func Main(m *testing.M) int {
	raiseFileLimit()
	_ = os.Setenv("GORACE", raceOptions)
	if os.Getenv(roleVariable) == roleDC {
		return serveDC()
	}
	unlock, err := lockMachine()
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		return 1
	}
	defer unlock()
	return m.Run()
}

// lockMachine waits until no other lab run is under way on this machine, whichever checkout it belongs to: all of them
// use the same addresses. The kernel lets the lock go with this process at the latest.
func lockMachine() (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(os.TempDir(), "nspiproxy-lab.lock"), os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		fmt.Fprintln(os.Stderr, "lab: another run is under way on this machine, waiting for its end")
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
			f.Close()
			return nil, err
		}
	}
	return func() { f.Close() }, nil
}

// EnoughFiles is more than the proxy needs for the connections of the largest test, two each.
const EnoughFiles = 10000

// raiseFileLimit lets this process and its children have as many files as the machine allows; some let root allow more.
func raiseFileLimit() {
	var r syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r) != nil {
		return
	}
	if r.Max < EnoughFiles && syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: EnoughFiles, Max: EnoughFiles}) == nil {
		return
	}
	r.Cur = r.Max
	_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &r)
}

// NeedFiles fails the test where so many files cannot be open: time-outs would be all that is seen of it.
func NeedFiles(t testing.TB, n uint64) {
	t.Helper()
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil || r.Cur < n {
		t.Fatalf("this machine allows %d open files, the test needs %d (ulimit -Hn)", r.Cur, n)
	}
}

var built struct {
	once sync.Once
	file string
	err  error
}

// Program builds nspiproxy, once in a test run, and returns its path. It has the race detector in it: a race that a
// real client brings about is found like any other. The file stays where it is, so that the next package of tests finds
// it up to date and need not link it again.
func Program(t testing.TB) string {
	t.Helper()
	built.once.Do(func() {
		folder := filepath.Join(labFolder(), "bin")
		if built.err = os.MkdirAll(folder, 0o755); built.err != nil {
			return
		}
		built.file = filepath.Join(folder, "nspiproxy")
		build := exec.Command("go", "build", "-race", "-o", built.file, "./cmd/nspiproxy")
		build.Dir = module.Path(t)
		if out, err := build.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("%w\n%s", err, out)
		}
	})
	if built.err != nil {
		t.Fatalf("building nspiproxy: %v", built.err)
	}
	return built.file
}

// Where programs and domains are kept, which outlive test runs: the folder in the environment, or the default one.
const (
	folderVariable = "NSPIPROXY_LAB"
	defaultFolder  = "/var/tmp/nspiproxy-lab"
)

func labFolder() string { return cmp.Or(os.Getenv(folderVariable), defaultFolder) }
