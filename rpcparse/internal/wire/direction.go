package wire

// Direction is the way a PDU travels.
type Direction uint8

// The two directions.
const (
	ClientToServer Direction = iota
	ServerToClient
)

// String returns the sender: "c" for the client, "s" for the server.
func (d Direction) String() string {
	if d == ServerToClient {
		return "s"
	}
	return "c"
}

// Other returns the opposite direction.
func (d Direction) Other() Direction { return d ^ 1 }
