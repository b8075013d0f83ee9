package capture

// What the reader keeps at most. Every limit can be reached by a real capture
// (a mirror port that loses frames, a scan of a network), none by traffic that
// was captured well.
const (
	// maxConnections is how many TCP connections are remembered, so that a
	// late frame finds its number: about 400 bytes each. The one that was
	// silent longest is forgotten first.
	maxConnections = 1 << 19
	// maxReading is how many of them may be read at a time.
	maxReading = 1 << 16
	// maxBuffered bounds the bytes under reassembly of all connections.
	maxBuffered = 64 << 20
	// maxWaiting bounds the bytes of one direction that wait behind a hole.
	// Beyond it the hole is given up. Windows offers receive windows of up to
	// 16 MiB, but without bytes that are lost, none of it waits.
	maxWaiting = 4 << 20
	// maxHeld bounds the bytes of PDUs that wait for their turn while an
	// earlier frame may still turn out to end a PDU.
	maxHeld = 64 << 20
	// maxFragments is how many IP fragments may wait for the rest of their
	// packets. TCP avoids fragmentation, so more than a few are no TCP.
	maxFragments = 4096
	// maxLayers is how many headers one frame may have before TCP. VXLAN over
	// IPv6 with two VLAN tags has 8.
	maxLayers = 24

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
)
