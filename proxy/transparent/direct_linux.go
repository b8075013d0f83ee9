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

// Passes returns what reports whether a connection passes by now.
func Passes() (func(client, server netip.AddrPort) bool, error) {
	all, err := readDirect()
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

// readDirect returns the connections that pass by now. Without the table there are
// none to know of, nor with one that has no such sets.
func readDirect() (all []directConnection, err error) {
	conn, err := open()
	if err != nil {
		return nil, err
	}
	table := &nftables.Table{Name: TableName, Family: nftables.TableFamilyINet}
	for _, f := range families {
		set, err := conn.GetSetByName(table, f.direct())
		if errors.Is(err, unix.ENOENT) {
			continue
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
	}
	return all, nil
}
