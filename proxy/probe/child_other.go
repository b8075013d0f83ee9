//go:build !unix

package probe

import "syscall"

// childAttributes has nothing to say here: the end of its input ends a child
// whose parent is gone.
func childAttributes() *syscall.SysProcAttr { return nil }
