package tower

import "github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"

// TowerRef says where in a stub the octets of a tower are, in bytes.
type TowerRef struct {
	Offset int
	Length int
}

// octets returns the part of the stub that ref names.
func (ref TowerRef) octets(stub []byte) ([]byte, error) {
	if ref.Offset < 0 || ref.Length < 0 || ref.Offset > len(stub) || ref.Length > len(stub)-ref.Offset {
		return nil, wire.Errorf(wire.ClassInvalid, "tower_ref", ref.Offset, "%d bytes do not lie in a stub of %d", ref.Length, len(stub))
	}
	return stub[ref.Offset : ref.Offset+ref.Length], nil
}

// Parse parses the tower that ref names in stub.
func (ref TowerRef) Parse(stub []byte) (Tower, error) {
	octets, err := ref.octets(stub)
	if err != nil {
		return Tower{}, err
	}
	return Parse(octets)
}

// tower reads a twr_t (MS-RPCE 2.2.1.2.2): maximum count, length, octets.
func (r *reader) tower() TowerRef {
	most := r.Count("tower_max", MaxOctets)
	length := r.U32("tower_length")
	if uint64(length) != uint64(most) {
		r.Fail(wire.ClassInvalid, "tower_length", "%d bytes in room for %d", length, most)
	}
	ref := TowerRef{Offset: r.At, Length: most}
	r.Bytes(most, "tower_octets")
	return ref
}

// bodies are the towers that the full pointers of one answer point to. The body
// of a referent comes once, where the first pointer to it is resolved; every
// later pointer with the same referent means the same tower (C706 14.3.11).
type bodies struct {
	referents []uint64 // of towers, by index
	towers    []TowerRef
}

// resolve returns the index in b.towers of what referent points to, reading the
// body unless it was read before, or -1 for NULL. The search is linear: there
// are four towers in a usual answer and never more than MaxTowers.
func (b *bodies) resolve(r *reader, referent uint64) int {
	if referent == 0 {
		return -1
	}
	for i, known := range b.referents {
		if known == referent {
			return i
		}
	}
	b.referents = append(b.referents, referent)
	b.towers = append(b.towers, r.tower())
	return len(b.towers) - 1
}
