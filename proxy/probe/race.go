//go:build race && linux

package probe

// raceEnabled: the race detector has terabytes of writable memory mapped.
const raceEnabled = true
