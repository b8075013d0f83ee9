package probe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"time"
)

// Arguments is what makes the program a child: see [Serve].
var Arguments = []string{"probe", "--child"}

// What a child may say, in bytes: a report has ten steps of a sentence each; of
// a crash the first line is of interest.
const (
	maxReport = 64 << 10
	maxStderr = 16 << 10
)

// killGrace is how long a child that was told to stop may take beyond
// [UnbindTime], to notice, to encode its report, to exit.
const killGrace = time.Second

// Child returns a probe in a process of its own: executable, which must be this
// program or do as it does with [Arguments]. Nothing that a domain controller
// sends can harm the process that asks. A process that crashes, is killed or does
// not come to an end is an error in the result, and closes its connection, with
// which the domain controller ends its session.
//
// It returns when the child has ended, at the latest [UnbindTime] and a second
// after the end of ctx or the target's time-out.
func Child(executable string) func(context.Context, Target) Result {
	return func(ctx context.Context, t Target) Result { return Spawn(ctx, executable, t).Result() }
}

// Spawn is [Run] in a process of its own; see [Child].
func Spawn(ctx context.Context, executable string, t Target) Report {
	begun := time.Now()
	t = t.withDefaults()
	if deadline, ok := ctx.Deadline(); ok {
		t.Timeout = max(min(t.Timeout, time.Until(deadline)), time.Millisecond)
	}
	report, err := spawn(ctx, executable, t)
	if err == nil {
		return report
	}
	report = Report{Target: clean(t.Address), Auth: t.Auth, Outcome: OutcomeFailed, Duration: time.Since(begun)}
	report.Err = "probe process: " + clean(err.Error())
	if errors.Is(err, errNotStarted) {
		report.Outcome = OutcomeNotProbed
	}
	return report
}

// errNotStarted is in the error of a process that could not be started.
var errNotStarted = errors.New("not started")

func spawn(ctx context.Context, executable string, t Target) (report Report, err error) {
	request, err := json.Marshal(t)
	if err != nil {
		return Report{}, err
	}
	cmd := exec.CommandContext(ctx, executable, Arguments...)
	stdout := &capped{left: maxReport, over: func() { _ = cmd.Process.Kill() }} // it is no report
	stderr := &capped{left: maxStderr}
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1") // it only waits, and threads cost
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.SysProcAttr = childAttributes()
	in, err := cmd.StdinPipe()
	if err != nil {
		return Report{}, err
	}
	cmd.Cancel = in.Close // tells it to close its session and end
	cmd.WaitDelay = UnbindTime + killGrace
	// The child keeps its own time; the limit is for one that does not.
	if err := runLocked(cmd, in, request, t.Timeout+cmd.WaitDelay); err != nil && len(stdout.kept) == 0 {
		return Report{}, ending(ctx, err, string(stderr.kept))
	}
	if err := json.Unmarshal(stdout.kept, &report); err != nil {
		return Report{}, fmt.Errorf("no report: %w", err)
	}
	return report, nil
}

// errKilled is the error of a child that did not end.
var errKilled = errors.New("killed, it did not end in time")

// runLocked runs the child, at most as long as limit. The signal that ends it
// with its parent is bound to the thread that started it, so that one is kept.
func runLocked(cmd *exec.Cmd, in io.Writer, request []byte, limit time.Duration) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := cmd.Start(); err != nil {
			done <- fmt.Errorf("%w: %w", errNotStarted, err)
			return
		}
		var late atomic.Bool
		timer := time.AfterFunc(limit, func() {
			late.Store(true)
			_ = cmd.Process.Kill() // fails if it has just ended
		})
		defer timer.Stop()
		_, _ = in.Write(request) // less than a pipe holds; a child that is gone shows in Wait
		err := cmd.Wait()
		if err != nil && late.Load() {
			err = errKilled
		}
		done <- err
	}()
	return <-done
}

// ending says why there is no report.
func ending(ctx context.Context, err error, stderr string) error {
	if errors.Is(err, errNotStarted) {
		return err
	}
	if ctx.Err() != nil {
		return errKilled
	}
	if line, _, _ := strings.Cut(strings.TrimSpace(stderr), "\n"); line != "" {
		return fmt.Errorf("%w: %s", err, line)
	}
	return err
}

// capped keeps what is written to it, up to a limit. It is a Writer and nothing
// else: io.Copy would prefer a buffer's own way to read without end.
type capped struct {
	kept []byte
	left int
	over func() // called for what is more; may be nil
}

// Write implements io.Writer.
func (c *capped) Write(b []byte) (int, error) {
	n := min(len(b), c.left)
	c.left -= n
	c.kept = append(c.kept, b[:n]...)
	if n < len(b) && c.over != nil {
		c.over()
	}
	return len(b), nil
}
