package tower

import (
	"encoding/binary"
	"net/netip"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// PatchPort overwrites the port of the tower that ref names in stub, two bytes,
// and nothing else. Writing is all it does: only an answer without a signature
// may be changed.
func PatchPort(stub []byte, ref TowerRef, port uint16) error {
	t, err := ref.Parse(stub)
	if err != nil {
		return err
	}
	at := t.PortOffset()
	if at < 0 {
		return wire.Errorf(wire.ClassInvalid, "port", ref.Offset, "a %s tower has none", ProtocolName(t.Protocol()))
	}
	binary.BigEndian.PutUint16(stub[ref.Offset+at:], port)
	return nil
}

// PatchAddress overwrites the address of the tower that ref names in stub, for
// clients that connect to it, and nothing else. An address for which the tower has
// no room, as one of IPv6, becomes 0.0.0.0, for which clients take the host that
// they asked. A tower without an address, or with 0.0.0.0, is left as it is.
func PatchAddress(stub []byte, ref TowerRef, address netip.Addr) error {
	t, err := ref.Parse(stub)
	if err != nil {
		return err
	}
	host := t.host()
	if isZero(host) {
		return nil
	}
	clear(host)
	if to := address.Unmap(); to.Is4() && len(host) == ipv4Size {
		copy(host, to.AsSlice())
	}
	return nil
}

func isZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
