package capture

import (
	"fmt"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// plausible reports whether b, of 16 bytes at least, begins with a header that
// no other protocol has by chance: version 5.0 or 5.1, a type of the
// connection-oriented protocol, one of the data representations that exist.
func plausible(b []byte) (rpcparse.Header, bool) {
	if len(b) < rpcparse.HeaderSize {
		return rpcparse.Header{}, false
	}
	const ebcdic, ibmFloats = 1, 3 // the highest numbers
	h, ok := boundary(b)
	d := h.Drep
	return h, ok && h.Type.Known() && d[0]&0x0f <= ebcdic && d[1] <= ibmFloats && d[2] == 0 && d[3] == 0
}

// boundary reads a header that may be wrong otherwise, and reports whether it
// tells where the PDU ends. If b is too short for that, it still may.
func boundary(b []byte) (h rpcparse.Header, ok bool) {
	if len(b) > 0 && b[0] != 5 || len(b) > 1 && b[1] > 1 || len(b) > 4 && b[4]>>4 > 1 {
		return h, false
	}
	if len(b) < rpcparse.HeaderSize {
		return h, true
	}
	h = rpcparse.Header{Version: b[0], MinorVersion: b[1], Type: rpcparse.PType(b[2]), Flags: rpcparse.Flags(b[3]), Drep: rpcparse.Drep(b[4:8])}
	o := h.Order()
	h.FragLength, h.AuthLength, h.CallID = o.Uint16(b[8:]), o.Uint16(b[10:]), o.Uint32(b[12:])
	return h, h.FragLength >= rpcparse.HeaderSize
}

func gapText(n int) string {
	if n == unknown {
		return "bytes were not captured, nobody can tell how many"
	}
	return fmt.Sprintf("%d bytes were not captured", n)
}
