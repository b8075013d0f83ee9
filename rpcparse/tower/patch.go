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

// Patch is a port to be written into an answer of several fragments, whose
// towers were found in the reassembled stub.
type Patch struct {
	Offset int    // of the port in the reassembled stub: Endpoint.PortOffset
	Port   uint16 // the new one
}

// Apply writes the port if it lies in fragment, the part of the reassembled stub
// that starts at offset start, and reports whether it did. A port that straddles
// the edge of the fragment is not written and an error of class
// [wire.ClassInvalid], name "port_straddles": half of it may be on its way.
func (p Patch) Apply(fragment []byte, start int) (bool, error) {
	at := p.Offset - start
	switch {
	case at <= -portSize || at >= len(fragment):
		return false, nil
	case at < 0 || at > len(fragment)-portSize:
		return false, wire.Errorf(wire.ClassInvalid, "port_straddles", p.Offset, "fragment %d to %d has one byte of it", start, start+len(fragment))
	}
	binary.BigEndian.PutUint16(fragment[at:], p.Port)
	return true, nil
}
