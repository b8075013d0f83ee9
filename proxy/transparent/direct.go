package transparent

import (
	"fmt"
	"net/netip"
	"time"
)

// directConnection is one that was made while the proxy did not run, and passes by.
type directConnection struct {
	client, server netip.AddrPort
	left           time.Duration // until it is forgotten, unless a packet comes
}

// element is how nft writes it.
func (c directConnection) element() string {
	return fmt.Sprintf("%s . %d . %s . %d expires %ds", c.client.Addr(), c.client.Port(), c.server.Addr(), c.server.Port(),
		max(1, int(c.left/time.Second)))
}

// directKeySize is the size in bytes of a key of such a set, for addresses of that
// size. Each of the four parts has zeros up to a multiple of four bytes (the registers of
// nftables).
func directKeySize(address int) int { return 2 * (address + 4) }

// readDirectKey reads the key of an element: the client's address and port, and the
// server's.
func readDirectKey(key []byte, f family) (c directConnection, ok bool) {
	half := len(key) / 2
	if half < 4 || len(key) != directKeySize(half-4) {
		return c, false
	}
	client, ok := readEndpointKey(key[:half], f)
	server, ok2 := readEndpointKey(key[half:], f)
	return directConnection{client: client, server: server}, ok && ok2
}

// readEndpointKey reads an address and a port, and zeros.
func readEndpointKey(key []byte, f family) (netip.AddrPort, bool) {
	n := len(key) - 4
	if n < 0 {
		return netip.AddrPort{}, false
	}
	addr, ok := netip.AddrFromSlice(key[:n])
	return netip.AddrPortFrom(addr, uint16(key[n])<<8|uint16(key[n+1])), ok && f.is(addr)
}
