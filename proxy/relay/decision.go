package relay

// Decision is a decision on a connection that does not follow from one of its PDUs.
// It comes from another goroutine: a reload whose rules no longer allow a session, an
// administrator who ends a connection, a limit that takes a session's slot back for
// another one. The caller passes it to [Conn.Decide] or [Group.DecideAll], which have
// it called on the connection's loop with the connection's handler. There it may do
// what a method of the handler may do, and must not block.
//
// The PDUs of its verdict, ToClient and ToServer, are sent at once. In their direction
// they stand behind all PDUs that were forwarded or injected before, and in front of a
// PDU that is pending or incomplete. They may stand between two fragments of one
// response: whether the client may get a PDU now, the handler must know. Close ends
// the connection as it does after a PDU. The other actions are about a PDU and have no
// effect.
//
// In some states a verdict cannot be carried out as it is:
//
//   - While the server is being dialled, nothing is sent. Close resets the client, and
//     the Router is not asked again.
//   - Nothing is sent to a side to which the end of the stream has been sent, or on a
//     connection that is not RPC.
//   - When a side has left more than maxQueued bytes (256 KiB) unread, PDUs for it
//     reset the connection.
//
// A connection that is being closed already does not call it.
type Decision func(h Handler) Verdict

const (
	// maxDecisions bounds the decisions that are waiting for one connection. They
	// are taken in the next turn of its loop, within milliseconds, so that more
	// than a few of them mean that a caller repeats itself.
	maxDecisions = 16
	// maxDecideAlls bounds the calls of Group.DecideAll that are under way. They
	// come from an administrator, and one takes less than a second with 20,000
	// connections.
	maxDecideAlls = 16
)
