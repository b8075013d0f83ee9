package directory

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
)

// The binary form of a SID (MS-DTYP 2.4.2.2):
//
//	0  revision, 1
//	1  number of sub-authorities, n
//	2  identifier authority, 6 bytes, big-endian
//	8  sub-authorities, n times 4 bytes, little-endian
const (
	sidHeader         = 8
	maxSubAuthorities = 15
)

var errSID = errors.New("not a SID")

// parseSID returns the text form (MS-DTYP 2.4.2.1). Equal SIDs give equal text.
func parseSID(b []byte) (string, error) {
	if len(b) < sidHeader || b[0] != 1 || b[1] == 0 || b[1] > maxSubAuthorities || len(b) != sidHeader+4*int(b[1]) {
		return "", errSID
	}
	authority := uint64(binary.BigEndian.Uint16(b[2:]))<<32 | uint64(binary.BigEndian.Uint32(b[4:]))
	text := strconv.AppendUint([]byte("S-1-"), authority, 10)
	if authority >= 1<<32 {
		text = fmt.Appendf(nil, "S-1-0x%012X", authority)
	}
	for b = b[sidHeader:]; len(b) > 0; b = b[4:] {
		text = append(text, '-')
		text = strconv.AppendUint(text, uint64(binary.LittleEndian.Uint32(b)), 10)
	}
	return string(text), nil
}
