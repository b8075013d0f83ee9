//go:build !linux

package transparent

import (
	"errors"
	"net/netip"
)

var errNotLinux = errors.New("rules can be put in force on Linux only")

// Apply needs Linux.
func (p *Plan) Apply([]netip.AddrPort) error { return errNotLinux }

// Remove needs Linux.
func Remove() error { return errNotLinux }

// HasIPv6 is true.
func HasIPv6() bool { return true }

// RemoveLeft finds none elsewhere.
func RemoveLeft() (removed bool, err error) { return false, nil }

// OnStop needs Linux.
func OnStop() (opened bool, err error) { return false, errNotLinux }

// Passes needs Linux.
func Passes() (func(client, server netip.AddrPort) bool, error) { return nil, errNotLinux }

// Passing needs Linux.
func Passing() (int, error) { return 0, errNotLinux }

// CheckRouting needs Linux.
func (p *Plan) CheckRouting() error { return errNotLinux }

// Problems finds none elsewhere.
func (p *Plan) Problems() []Problem { return nil }

// Check finds nothing elsewhere.
func (p *Plan) Check() []string { return nil }
