package capture

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// PDU is one DCE/RPC PDU of a capture. It is the caller's to keep.
type PDU struct {
	Frame      int       // number of the frame that completes it, from 1
	Time       time.Time // of that frame
	Connection *Connection
	Dir        rpcparse.Direction
	Header     rpcparse.Header // as it stands on the wire, even if Err is set
	Bytes      []byte          // Header.FragLength bytes; Cut fewer where the capture cut them off

	// Err is why a connection that is relayed would be closed at this PDU: a
	// wrong type, a wrong length. Its own frag_length says where the next one
	// begins. It is an *rpcparse.Error.
	Err error
	// Resumed says that bytes of this direction before the PDU are missing, so
	// that PDUs may have been missed: the capture began in the middle of the
	// connection, or has a gap.
	Resumed bool
	// Ahead says that the sender had received bytes of the other direction which
	// were not captured by then, so that PDUs of that one may be missing.
	Ahead bool
	// Skipped is how many bytes before the PDU were not captured, or captured
	// but belong to no whole PDU; -1 when nobody can tell.
	Skipped int
	// Cut is how many bytes at the end of the PDU the capture does not have,
	// because its frames were cut at a snap length.
	Cut int
}

// Connection is a TCP connection with DCE/RPC on it. All its PDUs lead to the
// same one, until it is closed: what comes after that leads to another with
// the same number.
type Connection struct {
	Stream int // as Wireshark's tcp.stream
	Client netip.AddrPort
	Server netip.AddrPort
	Tag    any // the caller's own, untouched here
}

// Note is something worth knowing that is not in a PDU. It prints itself.
type Note struct {
	Frame  int // at which it was found out
	Stream int
	Text   string
}

// Counts says what was read.
type Counts struct {
	Frames      int // in the file
	Connections int // of TCP, as Wireshark counts them
	PDUs        int
	Gaps        int // places where bytes of a DCE/RPC connection were not captured
}

// String prints the note on one line.
func (n Note) String() string {
	return fmt.Sprintf("frame %d: stream %d: %s", n.Frame, n.Stream, n.Text)
}
