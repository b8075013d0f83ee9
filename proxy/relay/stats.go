package relay

// Flow counts what came from one side, and what the proxy sent to it.
type Flow struct {
	PDUs     uint64 // whole PDUs received
	Bytes    uint64 // bytes received, PDUs or not
	Injected uint64 // PDUs that the handler has made, sent to this side
}

// Stats are the counters of a Group since its start. Each is exact; they are not
// read at one instant.
type Stats struct {
	Accepted     uint64 // connections accepted and not refused for the cap
	Active       uint64 // of these, the ones that have not ended
	Refused      uint64 // connections reset at once because there were MaxConnections
	Kept         int64  // bytes in buffers and by Conn.Keeps
	Crowded      uint64 // clients reset because of the share that their networks had
	AcceptErrors uint64 // failures to accept, or to make a socket for the server: no descriptors, no memory
	Client       Flow
	Server       Flow
	Closed       [causeCount]uint64 // connections that ended, indexed by Cause
}
