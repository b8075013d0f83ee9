//go:build !linux

package transparent

import "net/netip"

// noKernel is kernel where there is no nftables.
type noKernel struct{}

func newKernel(*Plan, bool) kernel { return noKernel{} }

func (noKernel) read() ([]netip.AddrPort, error)    { return nil, errNotLinux }
func (noKernel) change(_, _ []netip.AddrPort) error { return errNotLinux }
func (noKernel) generation() (uint32, error)        { return 0, errNotLinux }
func (noKernel) readTable() (*table, error)         { return nil, errNotLinux }
func (noKernel) checkRouting() error                { return errNotLinux }
func (noKernel) checkFamilies() error               { return nil }
func (noKernel) apply([]netip.AddrPort) error       { return errNotLinux }
func (noKernel) applyRouting() error                { return errNotLinux }

// changes are none that could be heard of.
type changes struct{ changed chan struct{} }

func newChanges(int) *changes         { return &changes{} }
func (*changes) listen()              {}
func (*changes) close()               {}
func (*changes) author(uint32) string { return "" }
