//go:build race

package growth

// scale divides the company of the simulation: the race detector makes it ten times slower, and it has one goroutine.
const scale = 10
