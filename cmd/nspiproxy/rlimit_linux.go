package main

import "golang.org/x/sys/unix"

// raiseFileLimit raises the soft limit of open files to the hard one: each
// proxied connection takes two descriptors.
func raiseFileLimit() error {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return err
	}
	r.Cur = r.Max
	return unix.Setrlimit(unix.RLIMIT_NOFILE, &r)
}
