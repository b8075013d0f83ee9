package tower

import (
	"encoding/binary"

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
