package netns

import (
	"fmt"
	"os/exec"
	"strings"
)

// Command is a program that will run in the namespace. It becomes the process that the caller starts: signals reach it, and
// so does the parent's death where that is asked for.
func (n *Namespace) Command(name string, args ...string) *exec.Cmd {
	return exec.Command("nsenter", append([]string{"--net=" + n.Path(), "--", name}, args...)...)
}

// Run runs a program in the namespace to its end and returns what it wrote. An error has all of that in it.
func (n *Namespace) Run(name string, args ...string) (string, error) { return n.run("", name, args...) }

// Batch runs lines of ip, such as "link set dev eth0 up", until one fails.
func (n *Namespace) Batch(lines ...string) error {
	_, err := n.run(strings.Join(lines, "\n"), "ip", "-batch", "-")
	return err
}

func (n *Namespace) run(input, name string, args ...string) (string, error) {
	cmd := n.Command(name, args...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("netns: %s %s: %w\n%s%s", name, strings.Join(args, " "), err, out, input)
	}
	return string(out), nil
}
