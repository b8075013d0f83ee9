package mutate

import (
	"encoding/binary"
	"math/rand/v2"
)

// Offsets in a PDU (C706 12.6.3, MS-RPCE 2.2.2).
const (
	offType       = 2
	offFlags      = 3
	offDrep       = 4
	offFragLength = 8
	offAuthLength = 10
	offCallID     = 12
	headerSize    = 16
	offAllocHint  = 16
	offContextID  = 20
	offOpnum      = 22
	requestSize   = 24
	trailerSize   = 8
)

// pdu picks a write of at least n bytes, nil if there is none.
func (m *mutation) pdu(n int) *Step {
	var fit []*Step
	for i := range m.Steps {
		if s := &m.Steps[i]; s.Do == Write && len(s.Data) >= n {
			fit = append(fit, s)
		}
	}
	if len(fit) == 0 {
		return nil
	}
	return fit[m.IntN(len(fit))]
}

// order is that of the integers of a PDU.
func order(pdu []byte) binary.ByteOrder {
	if pdu[offDrep]&0x10 != 0 {
		return binary.LittleEndian
	}
	return binary.BigEndian
}

// other returns a value that is not v: one at an edge, one near to it, or any.
func other(r *rand.Rand, v uint32) uint32 {
	edges := [...]uint32{0, 1, 7, 8, 15, 16, 0x7f, 0xff, 0x100, 5840, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff}
	var w uint32
	switch r.IntN(3) {
	case 0:
		w = edges[r.IntN(len(edges))]
	case 1:
		w = v + uint32(r.IntN(9)) - 4
	default:
		w = r.Uint32()
	}
	if uint16(w) == uint16(v) { // fields of 16 bits change as well
		w++
	}
	return w
}

// change16 changes the 16 bits at an offset.
func (m *mutation) change16(at, size int) bool {
	s := m.pdu(size)
	if s == nil {
		return false
	}
	o := order(s.Data)
	o.PutUint16(s.Data[at:], uint16(other(m.Rand, uint32(o.Uint16(s.Data[at:])))))
	return true
}

// change32 changes the 32 bits at an offset.
func (m *mutation) change32(at, size int) bool {
	s := m.pdu(size)
	if s == nil {
		return false
	}
	o := order(s.Data)
	o.PutUint32(s.Data[at:], other(m.Rand, o.Uint32(s.Data[at:])))
	return true
}

func fragmentLength(m *mutation) bool { return m.change16(offFragLength, headerSize) }
func verifierLength(m *mutation) bool { return m.change16(offAuthLength, headerSize) }
func callID(m *mutation) bool         { return m.change32(offCallID, headerSize) }
func allocationHint(m *mutation) bool { return m.change32(offAllocHint, requestSize) }
func contextID(m *mutation) bool      { return m.change16(offContextID, requestSize) }
func opnum(m *mutation) bool          { return m.change16(offOpnum, requestSize) }

// change8 changes one of the bits that mask has of the byte at an offset.
func (m *mutation) change8(at int, mask byte) bool {
	s := m.pdu(headerSize)
	if s == nil {
		return false
	}
	v := byte(m.Uint32()) & mask
	if v == 0 {
		v = mask
	}
	s.Data[at] ^= v
	return true
}

func pduType(m *mutation) bool            { return m.change8(offType, 0x1f) }
func flags(m *mutation) bool              { return m.change8(offFlags, 0xff) }
func dataRepresentation(m *mutation) bool { return m.change8(offDrep, 0x11) }

// flipBits flips some bits of one PDU, anywhere.
func flipBits(m *mutation) bool {
	s := m.pdu(1)
	if s == nil {
		return false
	}
	bit := m.IntN(8 * len(s.Data))
	s.Data[bit/8] ^= 1 << (bit % 8)
	for range m.IntN(4) {
		if more := m.IntN(8 * len(s.Data)); more/8 != bit/8 {
			s.Data[more/8] ^= 1 << (more % 8)
		}
	}
	return true
}

// field changes four bytes behind the header, as counts, lengths and pointers of a stub are.
func field(m *mutation) bool {
	s := m.pdu(headerSize + 4)
	if s == nil {
		return false
	}
	at := headerSize + 4*m.IntN((len(s.Data)-headerSize)/4)
	o := order(s.Data)
	o.PutUint32(s.Data[at:], other(m.Rand, o.Uint32(s.Data[at:])))
	return true
}

// verifier changes the type, the level, the padding or the id of a security context, or a byte of its token.
func verifier(m *mutation) bool {
	var fit []*Step
	for i := range m.Steps {
		s := &m.Steps[i]
		if s.Do != Write || len(s.Data) < headerSize+trailerSize {
			continue
		}
		if n := int(order(s.Data).Uint16(s.Data[offAuthLength:])); n > 0 && n+trailerSize+headerSize <= len(s.Data) {
			fit = append(fit, s)
		}
	}
	if len(fit) == 0 {
		return false
	}
	s := fit[m.IntN(len(fit))]
	n := int(order(s.Data).Uint16(s.Data[offAuthLength:]))
	trailer := s.Data[len(s.Data)-n-trailerSize:]
	at := m.IntN(trailerSize)
	if m.IntN(2) == 0 {
		at = m.IntN(len(trailer))
	}
	trailer[at] ^= byte(1 + m.IntN(255))
	return true
}

// truncate cuts the end of a PDU, with the length that it has or with a length that fits.
func truncate(m *mutation) bool {
	s := m.pdu(2)
	if s == nil {
		return false
	}
	s.Data = s.Data[:1+m.IntN(len(s.Data)-1)]
	m.refit(s)
	return true
}

// extend lengthens a PDU by some bytes, with the length that it has or with a length that fits.
func extend(m *mutation) bool {
	s := m.pdu(1)
	if s == nil {
		return false
	}
	for range 1 + m.IntN(1<<m.IntN(13)) {
		s.Data = append(s.Data, byte(m.Uint32()))
	}
	m.refit(s)
	return true
}

// refit sets the length of a PDU to what it has, every other time.
func (m *mutation) refit(s *Step) {
	if len(s.Data) >= headerSize && len(s.Data) <= 0xffff && m.IntN(2) == 0 {
		order(s.Data).PutUint16(s.Data[offFragLength:], uint16(len(s.Data)))
	}
}
