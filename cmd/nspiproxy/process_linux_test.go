package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// asProgram in the environment makes this test binary the program.
const asProgram = "NSPIPROXY_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(run(context.Background(), newRootCommand(), os.Args[1:]))
	}
	os.Exit(m.Run())
}

// processTime is how long a process may take for anything, on a busy machine.
const processTime = time.Minute

// child is a running "nspiproxy serve".
type child struct {
	cmd     *exec.Cmd
	log     *os.File // what it writes
	lines   *bufio.Reader
	ended   chan error
	metrics string
}

// startServe starts the program on a pipe, and reads that until it is ready.
func startServe(t *testing.T) *child {
	t.Helper()
	c := startServing(t, func(*exec.Cmd) {})
	c.await(t, "ready")
	return c
}

// startServing starts the program, whose command change adjusts.
func startServing(t *testing.T, change func(*exec.Cmd)) *child {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	file, metrics := serveConfig(t)
	c := &child{cmd: programCommand(t, "serve", file), metrics: metrics, log: read, lines: bufio.NewReader(read), ended: make(chan error, 1)}
	c.cmd.Stderr = write
	change(c.cmd)
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	write.Close()
	go func() { c.ended <- c.cmd.Wait() }()
	t.Cleanup(func() { _ = c.cmd.Process.Kill(); read.Close() })
	return c
}

func programCommand(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	return cmd
}

// hosts is how many configurations there were: each has a loopback address of its own, and ports below
// those that the kernel gives to others.
var hosts atomic.Uint32

// serveConfig is a configuration that needs no rights. Nothing answers at the domain controller.
func serveConfig(t *testing.T) (file, metrics string) {
	t.Helper()
	host := fmt.Sprint("127.0.31.", 10+hosts.Add(1))
	file = filepath.Join(t.TempDir(), "nspiproxy.yaml")
	config := strings.ReplaceAll(`version: 1
listeners: [{name: front, mode: forward, address: HOST, backend: dc1}]
backends: [{name: dc1, address: 127.0.31.2, nspi_port: 6135}]
health: {check: none}
relay: {shutdown_timeout: 1s}
metrics: {address: "HOST:9135"}
log: {format: json}
`, "HOST", host)
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, host + ":9135"
}

// await reads the log up to an event, and returns its record.
func (c *child) await(t *testing.T, event string) map[string]any {
	t.Helper()
	_ = c.log.SetReadDeadline(time.Now().Add(processTime))
	for {
		line, err := c.lines.ReadBytes('\n')
		if err != nil {
			t.Fatalf("no %s in the log: %v", event, err)
		}
		var r map[string]any
		if err := json.Unmarshal(line, &r); err != nil {
			rest, _ := io.ReadAll(c.lines)
			t.Fatalf("%v in %q, before %s", err, line, rest)
		}
		if r["event"] == event {
			return r
		}
	}
}

func (c *child) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := c.cmd.Process.Signal(s); err != nil {
		t.Fatalf("%s: %v", s, err)
	}
}

// stop ends the program in order.
func (c *child) stop(t *testing.T) {
	t.Helper()
	c.signal(t, syscall.SIGTERM)
	select {
	case err := <-c.ended:
		if err != nil {
			t.Errorf("the program ended with %v", err)
		}
	case <-time.After(processTime):
		t.Fatal("SIGTERM does not end the program")
	}
}

// lost is how many records the log has not taken, by the metrics.
func (c *child) lost(t *testing.T) (n float64) {
	t.Helper()
	r, err := http.Get("http://" + c.metrics + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "\nnspiproxy_log_records_lost_total ")
	if _, err := fmt.Sscan(after, &n); err != nil {
		t.Fatalf("no metric of lost records: %v", err)
	}
	return n
}

// TestSignalsOfAdministratorsDoNotEndTheProgram: SIGHUP is the reflex of everyone who has changed a configuration.
func TestSignalsOfAdministratorsDoNotEndTheProgram(t *testing.T) {
	c := startServe(t)
	for _, s := range []syscall.Signal{syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2} {
		c.signal(t, s)
		if r := c.await(t, "signal.ignored"); r["signal"] != s.String() || r["level"] != "warn" {
			t.Errorf("%s: %v", s, r)
		}
	}
	go func() { c.await(t, "stopped") }()
	c.stop(t)
}

// TestEndOfTheLogsReaderDoesNotEndTheProgram: journald restarts, and a pipe's reader ends. The record that meets it is counted.
func TestEndOfTheLogsReaderDoesNotEndTheProgram(t *testing.T) {
	c := startServe(t)
	c.log.Close()
	for deadline := time.Now().Add(processTime); c.lost(t) < 3; {
		if time.Now().After(deadline) {
			t.Fatal("records are not counted as lost")
		}
		c.signal(t, syscall.SIGHUP)
		c.signal(t, syscall.SIGPIPE)
	}
	c.stop(t)
}

// TestFullPipeDoesNotHoldUpTheEnd: nothing reads the log any more, and it has no room.
func TestFullPipeDoesNotHoldUpTheEnd(t *testing.T) {
	c := startServe(t)
	fd := int(c.log.Fd())
	size, err := unix.FcntlInt(uintptr(fd), unix.F_SETPIPE_SZ, os.Getpagesize())
	if err != nil {
		t.Fatal(err)
	}
	const record = 300 // more than one of these has
	for deadline := time.Now().Add(processTime); ; {
		n, err := unix.IoctlGetInt(fd, unix.TIOCINQ)
		if err != nil {
			t.Fatal(err)
		}
		if n > size-record {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes of %d in the pipe", n, size)
		}
		c.signal(t, syscall.SIGHUP)
	}
	for range 10 {
		c.signal(t, syscall.SIGHUP)
	}
	if c.lost(t) != 0 {
		t.Error("what waits is not lost")
	}
	c.stop(t)
}

// TestProgramWithoutStandardErrorServes, as some supervisors start it.
func TestProgramWithoutStandardErrorServes(t *testing.T) {
	file, metrics := serveConfig(t)
	self := programCommand(t, "serve", file)
	cmd := exec.Command("/bin/sh", append([]string{"-c", `exec "$0" "$@" 2>&-`}, self.Args...)...)
	cmd.Env = self.Env
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	for deadline := time.Now().Add(processTime); ; time.Sleep(10 * time.Millisecond) {
		if r, err := http.Get("http://" + metrics + "/metrics"); err == nil {
			_ = r.Body.Close()
			break
		}
		select {
		case err := <-ended:
			t.Fatalf("it ended with %v", err)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatal("it does not serve")
		}
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(processTime):
		t.Fatal("SIGTERM does not end it")
	}
}
