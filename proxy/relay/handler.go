package relay

import "github.com/nspiproxy/nspiproxy/rpcparse"

// Handler decides on every PDU of one connection. All methods are called on the
// connection's loop, never concurrently, and must not block.
type Handler interface {
	// FromClient decides on a whole PDU of the client. pdu is the relay's read
	// buffer: valid until the return, and what is forwarded, so it may be
	// changed in place (not in length).
	FromClient(h rpcparse.Header, pdu []byte) Verdict
	// FromServer decides on a whole PDU of the server, likewise.
	FromServer(h rpcparse.Header, pdu []byte) Verdict
	// Resume gives the verdict on the PDU of one side that was answered with
	// Hold. It is called after every Conn.Wake for each side with a held PDU, so
	// also for a wake that was meant for something else: Hold is a valid answer.
	//
	// pdu is the relay's only copy of the held PDU, with what the handler changed
	// in it before it answered Hold, so the handler need not keep one. It is valid
	// until the return, may be changed in place again, and is what Forward sends.
	// h is its header, parsed again.
	Resume(from rpcparse.Direction, h rpcparse.Header, pdu []byte) Verdict
	// Closed is the last call, made exactly once: when both sockets are closed,
	// or when the server that this handler was made for is not reached. Then it
	// is the last call of this attempt, and the Router is asked for another.
	Closed(reason CloseReason)
}

// StreamHandler is implemented by a Handler that wants a say when a stream is
// not made of PDUs.
type StreamHandler interface {
	// NotRPC tells that neither side has sent a PDU and that the bytes of this
	// side are none. The connection is a plain byte relay from now on:
	// FromClient and FromServer are not called any more. Called with
	// PassNonRPC only.
	NotRPC(from rpcparse.Direction)
	// ServerEnded tells that the server has ended its stream and that all of it
	// has been handled. The client has Options.DrainTimeout to end its own, from
	// when it has taken everything.
	ServerEnded()
	// Malformed tells that the stream of one side cannot be cut into PDUs any
	// further; err is an *rpcparse.Error, head what the stream goes on with, at
	// least one byte, valid until the return. The connection is closed. The
	// answer, whole PDUs or nil, reaches the client first; it is valid until the
	// next call.
	Malformed(from rpcparse.Direction, head []byte, err error) (toClient []byte)
}

// Action is what becomes of one PDU.
type Action uint8

const (
	// Forward sends the PDU on to the other side.
	Forward Action = iota
	// Drop forgets it. With Verdict.ToClient the proxy has answered it.
	Drop
	// Hold keeps a PDU, and all that follows it from its side, until Conn.Wake.
	// The other direction goes on, and may be held independently. Nothing else
	// ends a hold but the connection's end: whoever holds sees to the wake.
	Hold
	// Close drops the PDU and all that follows in both directions, ends both
	// streams after the bytes already accepted and the injected ones, discards
	// what still comes for Options.DrainTimeout at most, and closes. Not by
	// reset, because that could destroy the answer on its way.
	Close
)

// String returns the action as logs name it.
func (a Action) String() string {
	switch a {
	case Forward:
		return "forward"
	case Drop:
		return "drop"
	case Hold:
		return "hold"
	case Close:
		return "close"
	}
	return "unknown"
}

// Verdict is a decision on one PDU. The zero value forwards it.
type Verdict struct {
	Action Action
	// ToClient and ToServer are whole PDUs that the relay sends in this PDU's
	// place of the stream (after it, with Forward), each by a write of its own.
	// They need to be valid until the next call of this handler only.
	ToClient, ToServer []byte
	// Err says why, with Close; it reaches Handler.Closed.
	Err error
}

// forwards reports the common case: the PDU goes on and nothing else happens.
func (v *Verdict) forwards() bool {
	return v.Action == Forward && len(v.ToClient) == 0 && len(v.ToServer) == 0
}
