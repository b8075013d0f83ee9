package relay

import "fmt"

// Cause is why a connection ended, as a small set of values to count by.
type Cause uint8

// The causes.
const (
	// CauseEnd: both sides ended their streams.
	CauseEnd Cause = iota
	// CauseClientReset: the client reset the connection, or is unreachable.
	CauseClientReset
	// CauseServerReset: the server did.
	CauseServerReset
	// CauseServerGone: Group.CloseServer was called for the server.
	CauseServerGone
	// CauseDialFailed: no server could be reached.
	CauseDialFailed
	// CauseDialTimeout: the server did not answer within Options.ConnectTimeout.
	CauseDialTimeout
	// CauseHandshakeTimeout: the client had not sent a bind within
	// Options.HandshakeTimeout, or not what ListenOptions wait for.
	CauseHandshakeTimeout
	// CausePartTimeout: the client had not sent the rest of a PDU, of a token or of an
	// NspiBind within Options.PartTimeout.
	CausePartTimeout
	// CauseNoSession: the client had sent nothing for Options.SessionTimeout, and there has
	// never been a session.
	CauseNoSession
	// CauseMemory: of all connections, it kept most when they kept more than
	// Options.MaxKept.
	CauseMemory
	// CauseCrowded: the clients of its network have their share of all
	// the connections.
	CauseCrowded
	// CauseProxyHeader: a peer that must send a PROXY header has sent something
	// else, or a header that is invalid.
	CauseProxyHeader
	// CauseVerdict: the verdict of the handler, or of a Decision, was Close.
	CauseVerdict
	// CauseClientMalformed: the client's stream cannot be cut into PDUs.
	CauseClientMalformed
	// CauseServerMalformed: the server's cannot.
	CauseServerMalformed
	// CauseNotRPC: the connection carries something else, and CloseNonRPC is set.
	CauseNotRPC
	// CauseRefused: the Router gave no handler at its first attempt.
	CauseRefused
	// CauseMoved: Group.ResetMoved was called, and its choice fell on the connection.
	CauseMoved
	// CauseShutdown: the deadline of Group.Shutdown passed.
	CauseShutdown
	// CausePanic: the handler panicked; Err has the stack.
	CausePanic

	causeCount
)

var causeNames = [causeCount]string{
	CauseEnd:              "end",
	CauseClientReset:      "client_reset",
	CauseServerReset:      "server_reset",
	CauseServerGone:       "server_gone",
	CauseDialFailed:       "dial_failed",
	CauseDialTimeout:      "dial_timeout",
	CauseHandshakeTimeout: "handshake_timeout",
	CausePartTimeout:      "part_timeout",
	CauseNoSession:        "no_session",
	CauseMemory:           "memory",
	CauseCrowded:          "client_share",
	CauseProxyHeader:      "proxy_header",
	CauseVerdict:          "verdict",
	CauseClientMalformed:  "client_malformed",
	CauseServerMalformed:  "server_malformed",
	CauseNotRPC:           "not_rpc",
	CauseRefused:          "refused",
	CauseMoved:            "moved",
	CauseShutdown:         "shutdown",
	CausePanic:            "panic",
}

// String returns the cause as logs and metrics name it.
func (c Cause) String() string {
	if c < causeCount {
		return causeNames[c]
	}
	return fmt.Sprintf("cause(%d)", uint8(c))
}

// CloseReason says why a connection ended.
type CloseReason struct {
	Cause Cause
	// Err is the error of the system call, the *rpcparse.Error of the framer, or
	// Verdict.Err; nil where there is nothing to add to the cause.
	Err error
}

// String returns the cause and the error.
func (r CloseReason) String() string {
	if r.Err == nil {
		return r.Cause.String()
	}
	return r.Cause.String() + ": " + r.Err.Error()
}
