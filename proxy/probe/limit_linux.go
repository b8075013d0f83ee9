package probe

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// memoryLimit bounds what a child may have of writable memory, in bytes. The Go
// runtime alone takes some 110 MiB of it, nearly all of that never touched, and
// more in steps of 64 MiB. A probe touches 20 MiB; what a hostile answer can make
// a library allocate is hundreds and thousands.
const memoryLimit = 256 << 20

// limitProcess bounds this process for good. RLIMIT_DATA counts private writable
// memory; RLIMIT_AS would count what the Go runtime reserves and does not use. No
// core is dumped: it would have the password in it.
func limitProcess() error {
	limits := map[int]uint64{unix.RLIMIT_CORE: 0}
	if !raceEnabled {
		limits[unix.RLIMIT_DATA] = memoryLimit
	}
	for what, n := range limits {
		var r unix.Rlimit
		err := unix.Getrlimit(what, &r)
		if n = min(n, r.Max); err == nil { // whoever started it may be stricter
			err = unix.Setrlimit(what, &unix.Rlimit{Cur: n, Max: n})
		}
		if err != nil {
			return fmt.Errorf("limiting the probe's process: %w", err)
		}
	}
	return nil
}
