package transparent

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/google/nftables"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

const (
	// netlinkTimeout bounds one exchange with the kernel, which takes
	// microseconds unless somebody loads a rule set of great size.
	netlinkTimeout = 5 * time.Second
	// maxElements is how many elements one message has: an attribute of netlink
	// is at most 64 KiB, and an IPv6 element takes 44 bytes.
	maxElements = 1024
	// netlinkBuffer holds a transaction with maxPorts elements, in bytes.
	netlinkBuffer = 1 << 20
)

// netlinkSets is kernelSets by netlink. It has a socket for each exchange: an
// answer that comes too late cannot be taken for that of another request.
type netlinkSets struct{ sets []elementSet }

// elementSet is the set of one family.
type elementSet struct {
	family family
	set    *nftables.Set
}

func newNetlinkSets() netlinkSets {
	table := &nftables.Table{Name: TableName, Family: nftables.TableFamilyINet}
	var n netlinkSets
	for _, f := range families {
		address := nftables.TypeIPAddr
		if f.set == setIPv6 {
			address = nftables.TypeIP6Addr
		}
		n.sets = append(n.sets, elementSet{f, &nftables.Set{Table: table, Name: f.set, Concatenation: true,
			KeyType: nftables.MustConcatSetType(address, nftables.TypeInetService)}})
	}
	return n
}

// open returns a connection that sends when Flush is called.
func open() (*nftables.Conn, error) {
	return nftables.New(nftables.WithSockOptions(func(c *netlink.Conn) error {
		// The buffers are only as large as the system allows an ordinary user.
		_ = c.SetReadBuffer(netlinkBuffer)
		_ = c.SetWriteBuffer(netlinkBuffer)
		return c.SetDeadline(time.Now().Add(netlinkTimeout))
	}))
}

func (n netlinkSets) read() (all []netip.AddrPort, err error) {
	conn, err := open()
	if err != nil {
		return nil, explain(err)
	}
	for _, s := range n.sets {
		// Asked for first, because the next error does not tell what it is.
		if _, err := conn.GetSetByName(s.set.Table, s.set.Name); err != nil {
			return nil, explain(err)
		}
		elements, err := conn.GetSetElements(s.set)
		if err != nil {
			return nil, explain(err)
		}
		for _, e := range elements {
			if ap, ok := s.endpoint(e.Key); ok {
				all = append(all, ap)
			}
		}
	}
	return all, nil
}

func (n netlinkSets) change(add, remove []netip.AddrPort) error {
	conn, err := open()
	if err != nil {
		return explain(err)
	}
	for _, s := range n.sets {
		if err := s.send(remove, conn.SetDeleteElements); err != nil {
			return err
		}
		if err := s.send(add, conn.SetAddElements); err != nil {
			return err
		}
	}
	return explain(conn.Flush())
}

// send gives the ports of the set's family to a function of nftables.
func (s elementSet) send(ports []netip.AddrPort, to func(*nftables.Set, []nftables.SetElement) error) error {
	var elements []nftables.SetElement
	for _, p := range ports {
		if s.family.is(p.Addr()) {
			elements = append(elements, nftables.SetElement{Key: s.key(p)})
		}
	}
	for chunk := range slices.Chunk(elements, maxElements) {
		if err := to(s.set, chunk); err != nil {
			return err
		}
	}
	return nil
}

// key returns an element's key: the address, the port in network order, and
// zeros up to a multiple of four bytes (the registers of nftables).
func (s elementSet) key(p netip.AddrPort) []byte {
	return append(p.Addr().AsSlice(), byte(p.Port()>>8), byte(p.Port()), 0, 0)
}

// endpoint reads a key.
func (s elementSet) endpoint(key []byte) (netip.AddrPort, bool) {
	return readEndpointKey(key, s.family)
}

// explain says what an error of netlink means here.
func explain(err error) error {
	switch {
	case errors.Is(err, unix.ENOENT):
		return ErrNotApplied
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("the sets of learnt ports cannot be changed: %w (CAP_NET_ADMIN is needed)", unix.EPERM)
	case err != nil:
		return fmt.Errorf("the sets of learnt ports: %w", err)
	}
	return nil
}
