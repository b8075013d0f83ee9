package krb5

import (
	"encoding/binary"
	"strconv"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

const nameSID = "sid"

// Layout of a SID (MS-DTYP 2.4.2.2): revision u8, count u8, authority 6 bytes
// big-endian, sub-authorities u32 little-endian.
const (
	sidHeaderSize  = 8
	sidRevision    = 1
	maxAuthorities = 15
)

// sid is one security identifier, checked.
type sid struct {
	authority uint64
	subs      []uint32
}

// parseSID reads the SID at the start of b.
func parseSID(b []byte) (sid, int, error) {
	if len(b) < sidHeaderSize {
		return sid{}, 0, wire.Short(nameSID, 0, len(b), sidHeaderSize)
	}
	count := int(b[1])
	if b[0] != sidRevision || count > maxAuthorities {
		return sid{}, 0, wire.Errorf(wire.ClassInvalid, nameSID, 0, "revision %d with %d sub-authorities", b[0], count)
	}
	size := sidHeaderSize + 4*count
	if len(b) < size {
		return sid{}, 0, wire.Short(nameSID, sidHeaderSize, len(b), size)
	}
	s := sid{
		authority: uint64(binary.BigEndian.Uint16(b[2:]))<<32 | uint64(binary.BigEndian.Uint32(b[4:])),
		subs:      make([]uint32, count),
	}
	for i := range s.subs {
		s.subs[i] = binary.LittleEndian.Uint32(b[sidHeaderSize+4*i:])
	}
	return s, size, nil
}

// with returns the SID of an account of domain s.
func (s sid) with(rid uint32) (sid, error) {
	if len(s.subs) == 0 || len(s.subs) >= maxAuthorities {
		return sid{}, wire.Errorf(wire.ClassInvalid, nameSID, 0, "a domain with %d sub-authorities", len(s.subs))
	}
	return sid{authority: s.authority, subs: append(s.subs[:len(s.subs):len(s.subs)], rid)}, nil
}

// String is the text form of MS-DTYP 2.4.2.1.
func (s sid) String() string {
	b := []byte("S-1-")
	if s.authority < 1<<32 {
		b = strconv.AppendUint(b, s.authority, 10)
	} else {
		const hex = "0123456789abcdef"
		b = append(b, "0x"...)
		for shift := 44; shift >= 0; shift -= 4 {
			b = append(b, hex[s.authority>>shift&0xf])
		}
	}
	for _, sub := range s.subs {
		b = append(b, '-')
		b = strconv.AppendUint(b, uint64(sub), 10)
	}
	return string(b)
}
