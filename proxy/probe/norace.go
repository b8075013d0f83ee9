//go:build !race && linux

package probe

// raceEnabled: see race.go.
const raceEnabled = false
