package capture

// limits are what the reader keeps at most. All of them can be reached by a real
// capture (a mirror port that loses frames, a scan of a network), none by
// traffic that was captured well.
type limits struct {
	// connections is how many TCP connections are remembered, so that a late
	// frame finds its number: about 400 bytes each. The one that was silent
	// longest is forgotten first.
	connections int
	// reading is how many of them may be read at a time. One that makes room
	// for another is read on like one whose beginning was not captured.
	reading int
	// buffered bounds the bytes under reassembly of all connections.
	buffered int
	// waiting bounds the bytes of one direction that wait behind a hole. Beyond
	// it the hole is given up. Windows offers receive windows of up to 16 MiB,
	// but unless bytes are lost, none of it waits.
	waiting int
	// held bounds the bytes of PDUs that wait for their turn while an earlier
	// frame may still turn out to end a PDU.
	held int
	// fragments is how many IP fragments may wait for the rest of their
	// packets. TCP avoids fragmentation, so more than a few are no TCP.
	fragments int
}

var defaultLimits = limits{
	connections: 1 << 19,
	reading:     1 << 16,
	buffered:    64 << 20,
	waiting:     4 << 20,
	held:        64 << 20,
	fragments:   4096,
}

const (
	// pieceOverhead and pduOverhead stand for the bookkeeping of a piece of
	// TCP and of a PDU, in bytes, so that many tiny ones count as well.
	pieceOverhead = 128
	pduOverhead   = 256

	// graceFrames is how many more frames a hole stays open after the other
	// side has acknowledged what is missing. Captures of several queues or
	// mirror ports show an acknowledgement a little before the data.
	graceFrames = 64
	// maxJump is how far apart sequence numbers of one connection can be: the
	// largest TCP window (RFC 7323 2.3), in bytes.
	maxJump = 1 << 30
	// maxLayers is how many headers one frame may have before TCP. VXLAN over
	// IPv6 with two VLAN tags has 8.
	maxLayers = 24
)
