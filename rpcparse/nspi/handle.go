package nspi

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// HandleSize is the size of a context handle on the wire, in bytes.
const HandleSize = 20

// Handle is a context handle (MS-RPCE 2.2.1.1.4: attributes u32, UUID): the
// proof of an open session, unique within one association only. Its bytes are
// those of a little-endian PDU whatever the byte order it was read in, because a
// big-endian client swaps the handle it got from a little-endian server, and
// both must find the same session. It is comparable and may be a map key.
type Handle [HandleSize]byte

// ReadHandle reads the first 20 bytes of b, which were sent in byte order o.
func ReadHandle(b []byte, o wire.Order) Handle {
	h := Handle(b[:HandleSize])
	if o == wire.BigEndian {
		h.swap()
	}
	return h
}

// Append appends the wire form of h in byte order o to dst.
func (h Handle) Append(dst []byte, o wire.Order) []byte {
	if o == wire.BigEndian {
		h.swap()
	}
	return append(dst, h[:]...)
}

func (h *Handle) swap() {
	h[0], h[1], h[2], h[3] = h[3], h[2], h[1], h[0]
	h[4], h[5], h[6], h[7] = h[7], h[6], h[5], h[4]
	h[8], h[9] = h[9], h[8]
	h[10], h[11] = h[11], h[10]
}

// IsZero reports whether h is the NULL handle, which names no session.
func (h Handle) IsZero() bool { return h == Handle{} }

// String returns "null" or twelve hex digits that tell handles apart in a log.
// They are a digest: a reader of the log must not learn a handle, which is
// all that is needed to use or end somebody else's session.
func (h Handle) String() string {
	if h.IsZero() {
		return "null"
	}
	sum := sha256.Sum256(h[:])
	return hex.EncodeToString(sum[:6])
}
