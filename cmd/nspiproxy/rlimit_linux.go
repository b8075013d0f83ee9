package main

import "golang.org/x/sys/unix"

// raiseFileLimit raises the soft limit of open files to the hard one, and returns it: each
// proxied connection takes two descriptors.
func raiseFileLimit() (files uint64, err error) {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return 0, err
	}
	soft := r.Cur
	r.Cur = r.Max
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return soft, err
	}
	return r.Max, nil
}
