package transparent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	// commandTimeout bounds one run of nft or ip, which take milliseconds.
	commandTimeout = 30 * time.Second
	// maxComplaint is how much of what a program complains about is kept, in
	// bytes: nft repeats the line that it does not like.
	maxComplaint = 1000
)

// packages has the Debian package of each program.
var packages = map[string]string{"nft": "nftables", "ip": "iproute2"}

// program finds a program. An ordinary user may not have the folders of system
// programs in PATH.
func program(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, folder := range []string{"/usr/sbin", "/sbin"} {
		if path, err := exec.LookPath(filepath.Join(folder, name)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is not installed (package %s)", name, packages[name])
}

// commandError is what a program complained about.
type commandError struct {
	command   string
	complaint string
}

// Error names the program and its message.
func (e *commandError) Error() string {
	text := e.command + ": " + e.complaint
	if e.has("Operation not permitted") {
		text += " (CAP_NET_ADMIN is needed, as an ambient capability for a user other than root)"
	}
	return text
}

// has reports whether the complaint has that text in it.
func (e *commandError) has(text string) bool { return strings.Contains(e.complaint, text) }

// complained reports whether err is a complaint of a program with that text.
func complained(err error, text string) bool {
	e := (*commandError)(nil)
	return errors.As(err, &e) && e.has(text)
}

// run runs a program and returns what it printed.
func run(input, name string, args ...string) (string, error) {
	path, err := program(name)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	var out, complaint bytes.Buffer
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C") // complaints are compared
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &out, &complaint
	if err := cmd.Run(); err != nil {
		text := strings.TrimSpace(complaint.String())
		if text == "" {
			text = err.Error()
		}
		if len(text) > maxComplaint {
			text = text[:maxComplaint] + " ..."
		}
		return "", &commandError{strings.Join(append([]string{name}, args...), " "), text}
	}
	return out.String(), nil
}
