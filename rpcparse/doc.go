// Package rpcparse is the wire: connection-oriented DCE/RPC as MAPI clients
// and domain controllers speak it over TCP (C706 chapter 12 as changed by
// MS-RPCE). It does no I/O, starts no goroutine and keeps no clock.
//
// # Three layers
//
//	bytes ──Framer──▶ whole PDUs ──ParseX, PDU.Parse──▶ views ──Conversation──▶ events
//
// A [Framer] cuts one direction of a connection into whole PDUs in place. It
// reads the 16-byte [Header] and nothing behind it.
//
// A view is one decoded PDU: [Request], [Response], [Fault], [Bind] (also
// alter_context), [BindAck] (also alter_context_resp), [BindNak], [Auth3],
// [Shutdown], [CoCancel], [Orphaned]. Each has its own file with
//
//	ParseX(pdu []byte) (X, error)            // exactly one whole PDU
//	AppendX(dst []byte, x X) ([]byte, error) // one whole PDU
//	(X).Len() int                            // bytes that AppendX writes
//
// Parsing a view allocates nothing: its byte slices and lists point into the
// PDU, so a view is valid as long as the PDU's bytes are, and changes with
// them. Lists ([ContextList], [SyntaxList], [ResultList]) are checked once, while
// parsing, and walk the bytes afterwards.
//
// Appending decides the lengths itself and everything else is the caller's:
// byte order from Header.Drep, flags, call id. It fails rather than write a
// length that its field cannot hold, and then returns dst unchanged.
//
// A [Conversation] follows both directions of one connection and says what its
// PDUs mean, as values of [Event]. It takes a [PDU]: header and body, parsed once,
// which every part of an inspection asks about in turn.
//
//	var p rpcparse.PDU
//	p.Parse(h, pdu)                                // h from the Framer
//	if conv.AwaitsHandshake(&p) { wait }
//	if conv.NeedsStub(&p) { decrypt a copy; p.Rebase(copy); p.Opened = true }
//	events, err := conv.ClientPDU(&p, scratch[:0]) // or ServerPDU, or Follow
//	if err != nil && conv.MayHideBind(&p) { close }
//
// A PDU that means nothing more than that it is forwarded allocates nothing on
// this way. The state of a conversation lies in its parts, each in a file of its
// name: presentation contexts, security contexts, pending binds, calls, the
// fragments of requests and of a response. The files conversation_*.go bring them
// together, one for each group of PDU types.
//
// A reader of captures sets [ConversationOptions]: FollowAll, MidStream where the
// beginning is missing, SkipWithdrawn where it decides on what has been answered
// long ago; it calls [Conversation.Missed] at gaps.
//
// # Errors
//
// Every error is an [*Error] with a class, a stable name, an offset from the
// start of the PDU, and no bytes of the input. [ClassShort] means that more
// bytes may help; [ClassInvalid] and [ClassLimit] never do. See [ClassOf].
//
// # Adding a PDU type
//
// Give it a constant, a name and a direction in ptype.go, its smallest size in
// header.go, a file of its own, a row in the tests of all views (view_test.go), golden
// bytes and a fuzz target.
package rpcparse
