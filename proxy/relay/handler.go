package relay

import (
	"time"

	"github.com/nspiproxy/nspiproxy/proxy/verdict"
	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// Handler decides on every PDU of one connection. All methods are called on the
// connection's loop, never concurrently, and must not block.
type Handler interface {
	// FromClient decides on a whole PDU of the client. pdu is part of the relay's
	// buffer. It is valid until the return, and it is what Forward sends, so it
	// may be changed in place, but not in length.
	FromClient(h rpcparse.Header, pdu []byte) Verdict
	// FromServer decides on a whole PDU of the server, likewise.
	FromServer(h rpcparse.Header, pdu []byte) Verdict
	// Resume decides again on the PDU of one side that was answered with Hold. It
	// is called after every Conn.Wake, for each side with such a pending PDU,
	// whatever the wake was meant for: it may answer Hold again.
	//
	// pdu is the pending PDU as the handler has left it, with the bytes that it
	// changed in place before it answered Hold. The relay keeps it, so the handler
	// need not. It is valid until the return, may be changed in place again, and is
	// what Forward sends. h is its header, parsed again.
	Resume(from rpcparse.Direction, h rpcparse.Header, pdu []byte) Verdict
	// Closed is the last call and is made exactly once: when both sockets are
	// closed, or when the server that this handler was made for is not reached. In
	// the latter case the Router is asked for another server and handler.
	Closed(reason CloseReason)
}

// StreamHandler is implemented by a Handler that has to know when a stream ends or
// does not consist of PDUs.
type StreamHandler interface {
	// NotRPC reports that neither side has sent a PDU before and that the bytes of
	// this side are not one. From now on the relay passes bytes without calling
	// FromClient or FromServer. It is called with PassNonRPC only.
	NotRPC(from rpcparse.Direction)
	// ServerEnded reports that the server has ended its stream and that all of it
	// has been handled. When the client has read everything, it has
	// Options.DrainTimeout to end its own stream.
	ServerEnded()
	// Malformed reports that the stream of one side cannot be cut into PDUs any
	// further, so that the connection will be closed. head is at least one byte of
	// what follows in the stream, valid until the return; err is an
	// *rpcparse.Error. The answer, whole PDUs or nil, is sent to the client before
	// the end; it must be valid until the next call.
	Malformed(from rpcparse.Direction, head []byte, err error) (toClient []byte)
}

// DialHandler is implemented by a Handler that has to know early that a server may not
// be reached.
type DialHandler interface {
	// Unanswered reports that nothing has answered the attempt to connect for
	// Options.FailoverTimeout. It goes on.
	Unanswered()
	// Connected reports that the server has answered it.
	Connected()
	// ClientLeft reports that the client has not waited for the server, which had not
	// answered for that long. Closed follows.
	ClientLeft(waited time.Duration)
}

// SessionHandler is implemented by a Handler that calls Conn.AwaitSession.
type SessionHandler interface {
	// Sessionless reports whether the connection has never been of use.
	Sessionless() bool
}

// Verdict is a decision on one PDU.
type Verdict = verdict.Verdict

// Action is what becomes of the PDU.
type Action = verdict.Action

// The actions. A hold has no time limit: the handler must see to the wake. With
// Close, what the peers still send is discarded for at most Options.DrainTimeout,
// and Verdict.Err is passed to Handler.Closed.
const (
	Forward = verdict.Forward
	Drop    = verdict.Drop
	Hold    = verdict.Hold
	Close   = verdict.Close
)
