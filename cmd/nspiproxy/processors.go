package main

import (
	"os"
	"runtime"
	"strconv"
)

// spareProcessors is by how many processors of the Go scheduler there are more than
// event loops. A loop occupies one, even while it waits in epoll_wait. As long as
// another one is idle, the runtime's monitor leaves it there; otherwise it takes it
// away after 20 µs of waiting, and the loop has to get one again at each event. The
// second is for the other goroutines, so that the first stays idle.
const spareProcessors = 2

// useProcessors returns how many event loops there are to be, of which 0 means one for
// each processor, and gives the Go scheduler enough processors for them. A GOMAXPROCS
// in the environment is left as it is.
func useProcessors(loops int) int {
	if loops == 0 {
		loops = runtime.GOMAXPROCS(0)
	}
	if n, err := strconv.Atoi(os.Getenv("GOMAXPROCS")); err != nil || n <= 0 {
		runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), loops+spareProcessors))
	}
	return loops
}
