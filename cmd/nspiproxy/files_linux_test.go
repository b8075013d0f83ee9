package main

import (
	"os/exec"
	"syscall"
	"testing"
)

func TestConnectionsThatFitIntoFiles(t *testing.T) {
	for files, want := range map[uint64]int{0: 1, 3: 1, 20: 5, 1024: 262, 40500: 20000, 1 << 40: 1 << 20} {
		if got := connectionsFor(files); got != want {
			t.Errorf("%d files: %d connections, want %d", files, got, want)
		}
	}
}

// TestFewFilesLowerTheNumberOfConnections, and say what is needed.
func TestFewFilesLowerTheNumberOfConnections(t *testing.T) {
	c := startServing(t, func(cmd *exec.Cmd) {
		cmd.Args = append([]string{"/bin/sh", "-c", `ulimit -n 600; exec "$0" "$@"`}, cmd.Args...)
		cmd.Path = "/bin/sh"
	})
	r := c.await(t, "files.limit")
	if r["files"] != 600.0 || r["needed"] != 40500.0 || r["max_connections"] != 150.0 {
		t.Errorf("%v", r)
	}
	c.signal(t, syscall.SIGTERM)
	c.await(t, "stopped")
}
