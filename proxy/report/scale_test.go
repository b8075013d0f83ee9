//go:build !race

package report

// flood is how often each kind of record is sent.
const flood = 100_000
