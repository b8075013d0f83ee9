package lab

import (
	"bufio"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Process is a program that a test started. It ends with the test at the latest, and a test that fails shows the last
// lines that it wrote.
type Process struct {
	Name string
	Out  *Lines // standard output and standard error, unless standard output was taken
	cmd  *exec.Cmd
	done chan struct{} // closed when the program has ended
}

// shownLines is how much of a program's output a failed test shows.
const shownLines = 40

// start runs cmd. What it writes on streams that the caller has not taken goes to Out.
func start(t testing.TB, name string, cmd *exec.Cmd) *Process {
	t.Helper()
	p := &Process{Name: name, Out: newLines(), cmd: cmd, done: make(chan struct{})}
	if cmd.Stdout == nil {
		cmd.Stdout = p.Out
	}
	cmd.Stderr = p.Out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // even if the test binary is killed
	if err := cmd.Start(); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	go p.reap()
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("last output of %s:\n%s", name, strings.Join(p.Out.tail(shownLines), "\n"))
		}
	})
	return p
}

// reap waits for the program; once done is closed, its exit state is in cmd.ProcessState and its last line in Out.
func (p *Process) reap() {
	_ = p.cmd.Wait()
	p.Out.end()
	close(p.done)
}

// Kill ends the program as kill -9 does and waits until it is gone.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// Terminate asks the program to end, as a service manager would.
func (p *Process) Terminate() { _ = p.cmd.Process.Signal(syscall.SIGTERM) }

// Stop asks the program to end, as a service manager would, and returns its exit code. It fails the test when the
// program takes longer than limit.
func (p *Process) Stop(t testing.TB, limit time.Duration) int {
	t.Helper()
	p.Terminate()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(limit):
		t.Fatalf("%s has not ended %s after SIGTERM", p.Name, limit)
		return -1
	}
}

// PID is the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Ended says whether the program has ended.
func (p *Process) Ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Lines collects what a program writes, line by line.
type Lines struct {
	w     *io.PipeWriter
	ended chan struct{} // closed when no line can follow
	mu    sync.Mutex
	all   []string
}

func newLines() *Lines {
	r, w := io.Pipe()
	l := &Lines{w: w, ended: make(chan struct{})}
	go l.collect(r)
	return l
}

// Write takes a piece of output; a line counts when it is complete.
func (l *Lines) Write(b []byte) (int, error) { return l.w.Write(b) }

// end returns when the last line is in All.
func (l *Lines) end() {
	_ = l.w.Close()
	<-l.ended
}

func (l *Lines) collect(r io.Reader) {
	defer close(l.ended)
	s := bufio.NewScanner(r)
	s.Buffer(nil, 1<<20) // a stack dump's longest line
	for s.Scan() {
		l.mu.Lock()
		l.all = append(l.all, s.Text())
		l.mu.Unlock()
	}
	_, _ = io.Copy(io.Discard, r) // never block the writer, whatever it writes
}

// All returns the lines so far.
func (l *Lines) All() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.all...)
}

func (l *Lines) tail(n int) []string {
	all := l.All()
	return all[max(0, len(all)-n):]
}

// Eventually polls until ok returns true, and fails the test with what it waited for after limit.
func Eventually(t testing.TB, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after %s still not: %s", limit, what)
		}
	}
}
