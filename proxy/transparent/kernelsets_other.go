//go:build !linux

package transparent

import "net/netip"

// noSets is kernelSets where there is no nftables.
type noSets struct{}

func newKernelSets() kernelSets { return noSets{} }

func (noSets) read() ([]netip.AddrPort, error) { return nil, errNotLinux }

func (noSets) change(_, _ []netip.AddrPort) error { return errNotLinux }

// checkRouting needs Linux.
func (p *Plan) checkRouting() error { return errNotLinux }
