//go:build race

package report

// flood is how often each kind of record is sent. The race detector makes that ten times slower.
const flood = 10_000
