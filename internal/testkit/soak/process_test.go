package soak

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// answerTime is how long a step of the control, or a question to the process, may take on a busy machine.
const answerTime = 20 * time.Second

// process is a running proxy.
type process struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   chan left
	ended chan struct{}

	mu  sync.Mutex
	bad []string // lines of its log that must not be, with what follows them
}

// startProcess runs the proxy with a configuration file.
func startProcess(t testing.TB, config string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.Command(self), out: make(chan left), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), configVariable+"="+config, "GORACE=exitcode=66 atexit_sleep_ms=0")
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	log, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pipes sync.WaitGroup
	pipes.Go(func() { p.readAnswers(out) })
	pipes.Go(func() { p.readLog(log) })
	go func() {
		pipes.Wait()
		_ = p.cmd.Wait() // ProcessState says how it ended
		close(p.ended)
	}()
	t.Cleanup(p.kill)
	return p
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.ended
}

func (p *process) readAnswers(r io.Reader) {
	defer close(p.out)
	for d := json.NewDecoder(r); ; {
		var l left
		if d.Decode(&l) != nil {
			return
		}
		select {
		case p.out <- l:
		case <-time.After(answerTime): // who asked has given up
		}
	}
}

// mostBadLines is how many lines of a log are kept: a stack is among them.
const mostBadLines = 60

func (p *process) readLog(r io.Reader) {
	for in := bufio.NewReader(r); ; {
		line, err := in.ReadString('\n')
		p.mu.Lock()
		if len(p.bad) > 0 && len(p.bad) < mostBadLines || isBad(line) {
			p.bad = append(p.bad, strings.TrimSpace(line))
		}
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// isBad reports whether a line of the log says that the program has a fault.
func isBad(line string) bool {
	if strings.HasPrefix(line, "{") {
		return strings.Contains(line, `"reason":"panic"`) || strings.Contains(line, "panic: ") || strings.Contains(line, "goroutine ")
	}
	return strings.HasPrefix(line, "panic:") || strings.HasPrefix(line, "fatal error:") || strings.HasPrefix(line, "soak:") ||
		strings.Contains(line, "DATA RACE")
}

// ask returns what the process holds.
func (p *process) ask() (left, error) {
	if _, err := io.WriteString(p.in, "\n"); err != nil {
		return left{}, p.fault("the process does not take a question: " + err.Error())
	}
	select {
	case l, ok := <-p.out:
		if !ok {
			<-p.ended
			return left{}, p.fault("the process has ended: " + p.cmd.ProcessState.String())
		}
		return l, nil
	case <-time.After(answerTime):
		return left{}, p.fault("the process does not say what it holds")
	}
}

// healthy returns an error if the process has ended, or has logged what must not be.
func (p *process) healthy() error {
	select {
	case <-p.ended:
		return p.fault("the process has ended: " + p.cmd.ProcessState.String())
	default:
	}
	p.mu.Lock()
	found := len(p.bad) > 0
	p.mu.Unlock()
	if found {
		return p.fault("the log has what must not be")
	}
	return nil
}

// fault is an error with what the log has to say about it.
func (p *process) fault(what string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return fmt.Errorf("%s\n%s", what, strings.Join(p.bad, "\n"))
}

// stop ends the process in an orderly way.
func (p *process) stop() error {
	p.in.Close()
	select {
	case <-p.ended:
	case <-time.After(answerTime):
		return p.fault("the process does not end")
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		return p.fault(fmt.Sprintf("the process ended with exit code %d", code))
	}
	return nil
}
