package krb5

import (
	"encoding/binary"
	"unicode/utf16"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

const nameLogonInfo = "pac_logon_info"

// maxPACName is how much of a name in a PAC is kept, in bytes of UTF-16. Names
// may be longer: a home directory has no greatest length in the schema, a user
// principal name has 1024 characters (MS-ADA3 2.349).
const maxPACName = 2048

// cut returns what is kept of a name.
func cut(b []byte) []byte { return b[:min(len(b), maxPACName)] }

// deferred reads the deferred items of NDR data in their order. The first
// failure sticks and everything read after it is empty, so callers check err
// once.
type deferred struct {
	b   []byte
	at  int
	err error
}

// take returns the next n bytes behind the alignment of a u32.
func (d *deferred) take(n int) []byte {
	if d.err != nil {
		return nil
	}
	at := (d.at + 3) &^ 3
	if at > len(d.b) || n > len(d.b)-at {
		d.err = wire.Short(nameLogonInfo, at, max(0, len(d.b)-at), n)
		return nil
	}
	d.at = at + n
	return d.b[at:d.at]
}

// u32 returns the next number, 0 after a failure.
func (d *deferred) u32() uint32 {
	if b := d.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// count reads the maximum count of a conformant array, which must be what the
// fixed part said, and checks that so many elements of size bytes can follow.
func (d *deferred) count(announced uint32, size int) int {
	n := d.u32()
	if d.err == nil && (n != announced || uint64(n)*uint64(size) > uint64(len(d.b)-d.at)) {
		d.err = wire.Errorf(wire.ClassInvalid, nameLogonInfo, d.at, "%d elements of %d bytes where %d were announced and %d bytes are left", n, size, announced, len(d.b)-d.at)
	}
	if d.err != nil {
		return 0
	}
	return int(n)
}

// text reads a conformant varying array of UTF-16 (the buffer of an
// RPC_UNICODE_STRING) whose pointer is not null.
func (d *deferred) text() string {
	capacity, offset, actual := d.u32(), d.u32(), d.u32()
	if d.err == nil && (offset != 0 || actual > capacity || uint64(actual)*2 > uint64(len(d.b))) {
		d.err = wire.Errorf(wire.ClassInvalid, nameLogonInfo, d.at, "a string of %d from %d of %d characters", actual, offset, capacity)
	}
	if d.err != nil {
		return ""
	}
	return decodeUTF16(cut(d.take(2 * int(actual))))
}

// sid reads a SID, whose count of sub-authorities comes before it once more.
func (d *deferred) sid() sid {
	count := d.u32()
	if d.err != nil {
		return sid{}
	}
	s, size, err := parseSID(d.b[d.at:])
	if err == nil && uint32(len(s.subs)) != count {
		err = wire.Errorf(wire.ClassInvalid, nameSID, d.at, "%d sub-authorities, %d announced", len(s.subs), count)
	}
	if d.err = err; err != nil {
		return sid{}
	}
	d.at += size
	return s
}

// decodeUTF16 decodes UTF-16LE; lone surrogates become U+FFFD and an odd last
// byte is dropped.
func decodeUTF16(b []byte) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return string(utf16.Decode(units))
}
