package standby

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSocketTakesTheCommand(t *testing.T) {
	file := filepath.Join(t.TempDir(), "s")
	fails := false
	s, err := Listen(file, func(context.Context) (Result, error) {
		if fails {
			return Result{}, errors.New("it ends")
		}
		return Result{Ended: 3, Waiting: 1}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket is %v: %v", info.Mode(), err)
	}
	if r, err := Call(t.Context(), file); err != nil || r != (Result{3, 1}) {
		t.Errorf("%v, %v", r, err)
	}
	fails = true
	if _, err := Call(t.Context(), file); err == nil {
		t.Error("a failure is not told")
	}
	if _, err := Listen(file, nil); err == nil || !strings.Contains(err.Error(), "another program") {
		t.Errorf("a second program: %v", err)
	}
	s.Close()
	if _, err := os.Stat(file); err == nil {
		t.Error("the socket is left")
	}
	if _, err := Call(t.Context(), file); err == nil {
		t.Error("nobody listens, and that is not told")
	}
}

func TestSocketOfAKilledProgramIsReplaced(t *testing.T) {
	file := filepath.Join(t.TempDir(), "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: file})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	_ = l.Close()
	s, err := Listen(file, func(context.Context) (Result, error) { return Result{}, nil })
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := Call(t.Context(), file); err != nil {
		t.Error(err)
	}
}

func TestFileThatIsNoSocketIsLeftAlone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "s")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(file, nil); err == nil {
		t.Error("it is replaced")
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
}
