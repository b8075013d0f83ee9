package transparent

import (
	"errors"
	"net/netip"
)

// linuxKernel is kernel by netlink, and by the programs nft and ip for what is put in
// force.
type linuxKernel struct {
	netlinkSets
	plan *Plan
}

func newKernel(p *Plan) kernel { return linuxKernel{newNetlinkSets(), p} }

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

func (k linuxKernel) apply(learnt []netip.AddrPort) error { return k.plan.Apply(learnt) }

func (k linuxKernel) applyRouting() error {
	undo, err := k.plan.applyRouting()
	if err != nil {
		return errors.Join(err, undo())
	}
	return nil
}
