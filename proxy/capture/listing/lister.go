package listing

import (
	"errors"
	"fmt"
	"strings"

	"github.com/nspiproxy/nspiproxy/proxy/capture"
	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// Lister makes rows of PDUs. It keeps what it must know about a connection in
// the connection's Tag. The zero value is ready.
type Lister struct {
	parsed rpcparse.PDU
	events []rpcparse.Event
}

// connection is what is known about one connection.
type connection struct {
	conversation *rpcparse.Conversation
	calls        callTable
	offered      map[uint16]bool // ids of presentation contexts, accepted or not
}

func connectionOf(c *capture.Connection) *connection {
	if known, ok := c.Tag.(*connection); ok {
		return known
	}
	made := &connection{conversation: rpcparse.NewConversation(rpcparse.ConversationOptions{FollowAll: true})}
	c.Tag = made
	return made
}

// Row returns the row of a PDU. PDUs must be given in the order of the file.
func (l *Lister) Row(p *capture.PDU) *Row {
	c := connectionOf(p.Connection)
	if p.Resumed {
		c.conversation.Missed(p.Dir)
	}
	if p.Ahead {
		c.conversation.Missed(p.Dir.Other())
	}
	r := newRow(p)
	l.follow(c, p, r)
	r.describe(p.Bytes)
	c.match(r)
	return r
}

func newRow(p *capture.PDU) *Row {
	h := p.Header
	return &Row{
		Frame: p.Frame, Time: p.Time, Stream: p.Connection.Stream, Dir: p.Dir.String(),
		Client: p.Connection.Client.String(), Server: p.Connection.Server.String(),
		Version: h.Version, MinorVersion: h.MinorVersion, PType: uint8(h.Type), Type: h.Type.String(),
		Flags: h.Flags.String(), Drep: fmt.Sprintf("%x", h.Drep[:]),
		FragLength: h.FragLength, AuthLength: h.AuthLength, CallID: h.CallID,
		Resumed: p.Resumed, Ahead: p.Ahead, Skipped: p.Skipped, Cut: p.Cut,
		ptype: h.Type,
	}
}

// follow gives the PDU to the conversation, where it can follow it, and puts what
// it means into the row.
func (l *Lister) follow(c *connection, p *capture.PDU, r *Row) {
	switch {
	case p.Err != nil && !p.Header.Type.SentBy(p.Dir):
		r.fail(p.Err)
		return
	case p.Cut > 0:
		c.conversation.Missed(p.Dir)
		return
	case p.Header.Type == rpcparse.PTypeRTS:
		return // of RPC over HTTP, no part of the conversation
	}
	var err error
	l.parsed.Parse(p.Header, p.Bytes)
	l.events, err = c.conversation.Follow(p.Dir, &l.parsed, l.events[:0])
	r.setEvents(l.events)
	if p.Err != nil {
		err = p.Err // known before, at the header
	}
	if err != nil {
		r.fail(err)
	}
}

// fail puts an error into the row.
func (r *Row) fail(err error) {
	var e *rpcparse.Error
	if !errors.As(err, &e) {
		e = rpcparse.Errorf(rpcparse.ClassInvalid, "unknown", 0, "%v", err)
	}
	r.Error = &Error{Class: e.Class.String(), Name: e.Name, Offset: e.Offset, Detail: e.Detail}
	r.Event = strings.TrimPrefix(r.Event+","+e.Name, ",")
}

// setEvents puts what the PDU meant into the row.
func (r *Row) setEvents(events []rpcparse.Event) {
	names := make([]string, len(events))
	for i := range events {
		names[i] = events[i].Kind.String()
		r.Events = append(r.Events, newEvent(&events[i]))
	}
	r.Event = strings.Join(names, ",")
}

func newEvent(e *rpcparse.Event) Event {
	out := Event{Kind: e.Kind.String(), Opaque: e.Opaque, text: e.String()}
	switch e.Kind {
	case rpcparse.EventAssociationRequested, rpcparse.EventAssociationJoined:
		out.Association = &e.Association
	case rpcparse.EventAssociationRefused:
		out.Fault = rpcparse.NakReasonName(uint16(e.Fault))
	case rpcparse.EventBindAnswered, rpcparse.EventUnbindAnswered:
		out.Granted = &e.Granted
		if e.Fault != 0 {
			out.Fault = rpcparse.StatusName(e.Fault)
		} else if !e.Opaque {
			out.Code = e.Code.String()
		}
	}
	if !e.Handle.IsZero() {
		out.Handle = e.Handle.String()
	}
	if s := e.Security; s != nil {
		out.Mechanism, out.Level, out.Anonymous = s.Mechanism.String(), s.Level.String(), s.Anonymous()
		if s.HasUser() {
			out.User = Text(s.Account())
		}
	}
	return out
}
