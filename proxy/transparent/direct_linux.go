package transparent

import (
	"errors"
	"net/netip"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"
)

// Passing returns how many connections pass by, because they were made while the proxy
// did not run. It takes about a microsecond for each.
func Passing() (int, error) {
	all, err := readDirect()
	return len(all), err
}

// Passes returns what reports whether a connection passes by now, or did a while ago and
// may not have ended.
func Passes() (func(client, server netip.AddrPort) bool, error) {
	all, err := readSets(family.direct, family.reset, family.ending)
	if err != nil {
		return nil, err
	}
	known := make(map[[2]netip.AddrPort]struct{}, len(all))
	for _, c := range all {
		known[[2]netip.AddrPort{c.client, c.server}] = struct{}{}
	}
	return func(client, server netip.AddrPort) bool {
		_, ok := known[[2]netip.AddrPort{client, server}]
		return ok
	}, nil
}

// readDirect returns the connections that pass by now.
func readDirect() ([]directConnection, error) { return readSets(family.direct) }

// readSets returns the connections in the sets of those names. Without the table there
// are none to know of, nor with one that has no such sets.
func readSets(names ...func(family) string) (all []directConnection, err error) {
	for _, f := range families {
		for _, name := range names {
			if all, err = readSet(f, name(f), all); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// readSet adds the connections in a set.
func readSet(f family, name string, all []directConnection) ([]directConnection, error) {
	conn, err := open()
	if err != nil {
		return nil, err
	}
	set, err := conn.GetSetByName(&nftables.Table{Name: TableName, Family: nftables.TableFamilyINet}, name)
	if errors.Is(err, unix.ENOENT) {
		return all, nil
	}
	if err != nil {
		return nil, err
	}
	elements, err := conn.GetSetElements(set)
	if err != nil {
		return nil, err
	}
	for _, e := range elements {
		if c, ok := readDirectKey(e.Key, f); ok {
			c.left = e.Expires
			all = append(all, c)
		}
	}
	return all, nil
}
