package relay

// Decision is a decision on a connection that does not follow from one of its
// PDUs: a rule has changed, an administrator ends a session, another connection
// needs the slot. [Conn.Decide] and [Group.DecideAll] have it called on the
// connection's loop, where it may use the handler like the handler's own methods
// do, and must not block or panic either.
//
// Of its verdict, ToClient and ToServer are sent at once: behind all PDUs that
// were let through in that direction before, and so before a PDU that is held or
// incomplete. That is a boundary of PDUs, not always one of messages: whether the
// peer may be in the middle of a fragmented response is for the handler to know.
// Close ends the connection as it does after a PDU. The other actions are about a
// PDU and mean nothing here.
//
// Some verdicts meet a connection that cannot carry them out:
//
//   - While the server is dialled nothing can be sent. Close resets the client, and
//     there is no further attempt.
//   - To a side whose stream has been ended, and on a connection that is not RPC,
//     nothing is sent.
//   - A side that has left more than 256 KiB (maxQueued) unread does not get even
//     more: the connection is reset.
type Decision func(h Handler) Verdict

const (
	// maxDecisions bounds the decisions that wait for one connection. They wait
	// for a turn of its loop, which is a matter of milliseconds: more than a few
	// mean that a caller repeats itself.
	maxDecisions = 16
	// maxDecideAlls bounds the calls of Group.DecideAll that are under way. Those
	// are an administrator's, each done within a second at 20,000 connections.
	maxDecideAlls = 16
)
