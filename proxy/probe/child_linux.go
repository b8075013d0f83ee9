package probe

import "syscall"

// childAttributes makes the child the first of a process group, so that Ctrl-C
// reaches the parent alone, which lets it close its session; and lets it end with
// its parent.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
