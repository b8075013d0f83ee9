package inspect

import (
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/session"
)

// groupOffset is where bind, alter_context and their answers have the
// assoc_group_id (C706 12.6.4.3, 12.6.4.4). No signature covers it.
const groupOffset = 20

// groupTranslation is one connection's part in the association names of a
// listener with several domain controllers. It changes four bytes in place.
type groupTranslation struct {
	passive
	names   *GroupNames
	server  any        // where the connection leads, for names
	own     *groupName // of the association that the connection is in, or asked for
	unknown bool       // the bind seen last names none of this domain controller
}

// handshake implements rewriter.
func (t *groupTranslation) handshake(on exchange, d rpcparse.Direction, h rpcparse.Header, pdu []byte) {
	if len(pdu) < groupOffset+4 {
		return // cannot be read as a bind: the conversation says so
	}
	field := pdu[groupOffset : groupOffset+4]
	if d == rpcparse.ClientToServer {
		t.toServer(h, field, on.conv.Bound())
	} else {
		t.toClient(h, field)
	}
}

// toServer puts the domain controller's id into a client's bind or
// alter_context. A bind that names an association which is not on this domain
// controller must not go on: its id would mean something else there.
func (t *groupTranslation) toServer(h rpcparse.Header, field []byte, bound bool) {
	name := h.Order().Uint32(field)
	switch {
	case h.Type == rpcparse.PTypeBind && !bound: // a second one is refused by every server
		t.leave()
		if name != 0 {
			t.own = t.names.join(name, t.server)
		}
		if t.unknown = t.own == nil && name != 0; t.own != nil {
			h.Order().PutUint32(field, t.own.id)
		}
	case h.Type == rpcparse.PTypeAlterContext && t.own != nil && name == t.own.name: // else it is 0, or means nothing
		h.Order().PutUint32(field, t.own.id)
	}
}

// toClient puts the name of the association into a server's answer.
func (t *groupTranslation) toClient(h rpcparse.Header, field []byte) {
	id := h.Order().Uint32(field)
	switch {
	case id == 0: // none: bind_ack of a server without associations, alter_context_resp
		return
	case t.own != nil && t.own.id == id:
	case h.Type == rpcparse.PTypeBindAck:
		t.leave()
		t.own = t.names.found(id, t.server)
	default:
		return
	}
	h.Order().PutUint32(field, t.own.name)
}

// leave ends the connection's part.
func (t *groupTranslation) leave() {
	t.names.leave(t.own)
	t.own = nil
}

// mayJoin reports whether the client may have the association of its bind; 0 is
// a new one. One that is not known is refused, if the bind offers the address book, in
// every mode, also where the domain controller sees the client's address and would judge
// by itself: if it has connections that do not pass here, made while the proxy did not
// run or to another endpoint, its sessions live on when those that do have ended, and
// are not counted any more. A bind for other interfaces is the domain controller's to
// judge, where such connections can be.
func (i *Inspector) mayJoin(e *rpcparse.Event) error {
	switch {
	case i.groups != nil && i.groups.unknown:
		return session.ErrUnknownAssociation
	case i.elsewhere && !i.conv.OffersNSPI(e.CallID):
		return i.session.MayJoinElsewhere(e.Association)
	}
	return i.session.MayJoin(e.Association)
}

// mayOffer reports whether the client may have the address book on a connection that
// is bound already, by its alter_context.
func (i *Inspector) mayOffer(callID uint32) error {
	if !i.elsewhere || !i.conv.OffersNSPI(callID) {
		return nil
	}
	return i.session.MayOpen()
}

// leaveGroup ends the connection's part in the name of its association.
func (i *Inspector) leaveGroup() {
	if i.groups != nil {
		i.groups.leave()
	}
}
