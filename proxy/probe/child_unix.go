//go:build unix && !linux

package probe

import "syscall"

// childAttributes makes the child the first of a process group, so that Ctrl-C
// reaches the parent alone, which lets it close its session.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
