package transparent

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
)

// kernel is what is compared, and put in force.
type kernel interface {
	kernelSets
	// generation returns the number of the last transaction of nftables, which
	// each changes by one.
	generation() (uint32, error)
	// readTable returns our table; nil: there is none. The error is fs.ErrNotExist
	// if a part of it is deleted while it is read.
	readTable() (*table, error)
	// checkRouting returns ErrNoRouting if routing is not as the plan needs it.
	checkRouting() error
	// checkFamilies returns an error if clients come by IPv6, which the plan leaves
	// out.
	checkFamilies() error
	// apply puts rules and routing in force, applyRouting routing alone.
	apply(learnt []netip.AddrPort) error
	applyRouting() error
}

// comparison compares what is in force with what a plan needs. It belongs to one
// goroutine.
type comparison struct {
	kernel kernel
	plan   table // as the plan has it
	wanted table // the same, with the digests of what was in force once

	seen    uint32 // the generation that was compared
	known   bool   // it was
	differs *Difference
}

func newComparison(k kernel, plan table) comparison {
	return comparison{kernel: k, plan: plan, wanted: plan}
}

// compare returns in which ways what is in force is not what the plan needs, and
// whether anything was changed in nftables since it was called last. That is asked
// first: it takes a hundredth of the time of reading the rules.
func (c *comparison) compare() (differs []Difference, changed bool) {
	generation, err := c.kernel.generation()
	changed = err != nil || !c.known || generation != c.seen
	if err == nil && changed {
		err = c.read(generation)
	}
	switch {
	case err != nil:
		c.known = false
		differs = append(differs, Difference{ReasonUnknown, fmt.Errorf("the rules in force cannot be looked at: %w", err)})
	case c.differs != nil:
		differs = append(differs, *c.differs)
	}
	if err := c.kernel.checkRouting(); err != nil {
		differs = append(differs, Difference{ReasonRouting, err})
	}
	if err := c.kernel.checkFamilies(); err != nil {
		differs = append(differs, Difference{ReasonFamily, err})
	}
	return differs, changed
}

// maxReads bounds how often the table is read until nothing was changed meanwhile.
// Programs that change rules do it a few times a second at most.
const maxReads = 3

// read compares the table, which is of that generation or a later one.
func (c *comparison) read(generation uint32) error {
	c.known = false
	for range maxReads {
		has, err := c.kernel.readTable()
		if errors.Is(err, fs.ErrNotExist) {
			continue // a part of it was deleted meanwhile
		}
		if err != nil {
			return err
		}
		after, err := c.kernel.generation()
		if err != nil {
			return err
		}
		c.differs = c.wanted.difference(has)
		c.seen, c.known = after, after == generation
		if c.differs == nil && has != nil {
			c.wanted = *has
		}
		if c.known {
			return nil
		}
		generation = after
	}
	return nil // it is read again the next time
}

// follow takes note of transactions of this program that have changed elements only.
func (c *comparison) follow(transactions uint32) {
	if generation, err := c.kernel.generation(); err == nil && generation == c.seen+transactions {
		c.seen = generation
	}
}

// forget has everything read again, against the plan itself: it was put in force
// anew, perhaps by another version of nft.
func (c *comparison) forget() { c.wanted, c.known = c.plan, false }
