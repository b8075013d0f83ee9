package transparent

import (
	"errors"
	"net/netip"
)

// linuxKernel is kernel by netlink, and by the programs nft and ip for what is put in
// force.
type linuxKernel struct {
	netlinkSets
	plan    *Plan
	without bool // the plan leaves IPv6 networks out
}

// newKernel returns the kernel for what is possible of a plan.
func newKernel(p *Plan, without bool) kernel { return linuxKernel{newNetlinkSets(), p, without} }

func (k linuxKernel) generation() (uint32, error) {
	conn, err := dialNetfilter()
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close() }()
	return conn.generation()
}

func (k linuxKernel) readTable() (*table, error) {
	conn, err := dialNetfilter()
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	return conn.readTable()
}

func (k linuxKernel) checkRouting() error { return k.plan.checkRouting() }

// errIPv6 says that the program has started without IPv6.
var errIPv6 = errors.New("destinations are IPv6 networks, and this machine has got IPv6 since the start: they are left out until the program is started again")

func (k linuxKernel) checkFamilies() error {
	if k.without && HasIPv6() {
		return errIPv6
	}
	return nil
}

func (k linuxKernel) apply(learnt []netip.AddrPort) error { return k.plan.Apply(learnt) }

func (k linuxKernel) applyRouting() error {
	undo, err := k.plan.applyRouting()
	if err != nil {
		return errors.Join(err, undo())
	}
	return nil
}
