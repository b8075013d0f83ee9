package capture

import (
	"fmt"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// reading is what is kept of a connection while it is read.
type reading struct {
	conn   *conn
	use    *use[*reading]
	sides  [2]side // by sender
	client int     // index of the client, -1: not known yet
	info   *Connection
}

// side is one direction of a connection.
type side struct {
	reading  *reading
	sequence sequencer
	intake   intake
	finished bool // FIN seen
	kept     int  // bytes that were counted last

	// The hole that its sequence has, see holes.
	holeSince  int    // frame, 0: none
	holeAt     uint32 // sequence number of the first missing byte
	holeProven int    // frame, 0: not yet
}

func newReading(c *conn) *reading {
	rd := &reading{conn: c, client: -1}
	for i := range rd.sides {
		rd.sides[i].reading = rd
		rd.sides[i].intake.state, rd.sides[i].intake.resumed = searching, true
	}
	return rd
}

// index returns which direction s is.
func (s *side) index() int {
	if s == &s.reading.sides[0] {
		return 0
	}
	return 1
}

// settled reports whether nothing more can be learnt about DCE/RPC on it.
func (rd *reading) settled() bool {
	return rd.sides[0].intake.state == foreign && rd.sides[1].intake.state == foreign
}

// over reports whether both sides have said all.
func (rd *reading) over() bool {
	return rd.sides[0].finished && rd.sides[1].finished && !rd.sides[0].sequence.hole() && !rd.sides[1].sequence.hole()
}

// role implements the part of exchange that both directions share: who sends
// the type t first is told by it.
func (rd *reading) role(sender int, t rpcparse.PType) (rpcparse.Direction, bool) {
	if rd.client < 0 {
		rd.client = sender
		if !t.SentBy(rpcparse.ClientToServer) {
			rd.client = 1 - sender
		}
	}
	dir := rpcparse.ServerToClient
	if sender == rd.client {
		dir = rpcparse.ClientToServer
	}
	return dir, t.SentBy(dir)
}

// connection returns what PDUs lead to.
func (rd *reading) connection() *Connection {
	if rd.info == nil {
		rd.info = &Connection{
			Stream: rd.conn.number,
			Client: rd.conn.ends[rd.client],
			Server: rd.conn.ends[1-rd.client],
		}
	}
	return rd.info
}

// sideExchange is the exchange of one side's intake.
type sideExchange struct {
	*Reader
	side *side
}

func (x sideExchange) role(t rpcparse.PType) (rpcparse.Direction, bool) {
	return x.side.reading.role(x.side.index(), t)
}

func (x sideExchange) emit(p PDU) {
	p.Connection = x.side.reading.connection()
	x.counts.PDUs++
	x.ready.add(p)
}

func (x sideExchange) note(frame int, text string) {
	rd := x.side.reading
	if rd.client < 0 {
		return // nothing of DCE/RPC yet
	}
	x.tell(Note{Frame: frame, Stream: rd.conn.number, Text: fmt.Sprintf("%v: %s", rd.conn.ends[x.side.index()], text)})
}
