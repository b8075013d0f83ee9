package proxy

import (
	"net/netip"
	"slices"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/backend"
	"github.com/nspiproxy/nspiproxy/proxy/relay"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
	"github.com/nspiproxy/nspiproxy/session"
)

const (
	// maxDeferred is how many answers of the proxy's own wait while the server
	// sends a fragmented response. A client with that many refused binds in
	// flight at once is cut off.
	maxDeferred = 512
	// maxKeptBind is how many bytes of a fragmented NspiBind request are kept
	// back until it is whole: nothing of a refused bind reaches the server.
	maxKeptBind = 16 << 10
)

// inspector decides on every PDU of one connection. All its methods are called
// on the connection's loop.
type inspector struct {
	server   *Server
	listener *policy.Listener // where the client was accepted
	dc       *backend.DC      // where the connection goes
	conn     *relay.Conn
	session  *session.Conn
	conv     rpcparse.Conversation
	mapper   mapperAnswers     // on connections to the endpoint mapper
	groups   *groupTranslation // nil: associations keep their ids
	pool     *pool             // nil: there is no other domain controller to go to
	tried    []*backend.DC     // of pool: whom the client could not reach before
	reached  bool              // the server has answered
	withheld bool              // its PDU waits, see mapperAnswers

	hold        *held               // the client's PDU that waits
	kept        []byte              // fragments of an NspiBind that is not whole yet
	keptOpened  bool                // they were opened: kept is plaintext
	keptFor     *rpcparse.Call      // the call they belong to
	deferred    []deferredAnswer    // answers that wait for the end of a response
	handshakes  []*secctx.Handshake // of security contexts whose outcome is not reported yet
	keyed       bool                // security contexts are followed with keys
	users       []*user             // of security contexts
	lookup      *lookup             // in the directory, for the bind that waits
	answer      []byte              // scratch of the last verdict
	dead        []uint32            // security contexts that a refusal left without their sequence
	key         string              // of keySecurity
	keySecurity *rpcparse.SecurityContext
	mirror      bool // the server puts dummy verifiers on its responses
	orphan      bool // the server has ended its stream
}

// held is a client PDU that waits: for the answer to a handshake, or for the
// reservations of users that have yet to prove who they are.
type held struct {
	h    rpcparse.Header
	p    passage
	call *rpcparse.Call // nil: wait for the handshake
}

// newInspector makes the inspector of a connection from a listener to a port of
// dc.
func (s *Server) newInspector(c *relay.Conn, l *policy.Listener, dc *backend.DC, port netip.AddrPort) *inspector {
	i := &inspector{server: s, listener: l, dc: dc, conn: c, session: s.table.Open(c.Client(), s.scope(dc), dc.Name, port.String())}
	if len(s.config.Identity.Keytabs) > 0 {
		i.conv = *rpcparse.NewConversation(rpcparse.ConversationOptions{NewHandshake: i.newHandshake})
	}
	return i
}

func (i *inspector) client() netip.Addr { return i.conn.Client().Addr() }

// backend names the domain controller in logs and metrics.
func (i *inspector) backend() string { return i.dc.ServerName() }

// FromClient implements relay.Handler.
func (i *inspector) FromClient(h rpcparse.Header, pdu []byte) relay.Verdict {
	if i.conv.Handshaking() && i.conv.Undecided(h, pdu) {
		i.hold = &held{h: h, p: passage{plain: slices.Clone(pdu)}}
		return relay.Verdict{Action: relay.Hold}
	}
	if len(i.dead) > 0 && h.Type == rpcparse.PTypeRequest {
		if v, dead := i.deadContext(h, pdu); dead {
			return v
		}
	}
	if i.groups != nil && h.Type.Handshake() {
		i.groups.toServer(i, h, pdu)
	}
	p, err := i.openPDU(secctx.ClientToServer, h, pdu)
	if err != nil {
		return i.violation(h, pdu, err)
	}
	return i.inspect(&p, h)
}

// inspect decides on a client's PDU that has been opened as far as it can be.
func (i *inspector) inspect(p *passage, h rpcparse.Header) relay.Verdict {
	var scratch [2]rpcparse.Event
	feed := i.conv.FromClient
	if p.opened() {
		feed = i.conv.FromClientOpen
	}
	events, err := feed(h, p.plain, scratch[:0])
	if err != nil {
		return i.irregular(p, h, err)
	}
	if len(i.kept) > 0 && i.conv.Call() != i.keptFor {
		return i.violation(h, p.plain, errInterleaved)
	}
	for e := range events {
		if v, done := i.clientEvent(&events[e], h, p); done {
			return v
		}
	}
	i.touch()
	if k := i.conv.Call(); k.IsBind() && h.Type == rpcparse.PTypeRequest && !h.Last() {
		return i.keep(p)
	}
	if h.Type.Handshake() {
		i.followKeys()
	}
	return i.toServer(p)
}

// touch notes that a session is in use.
func (i *inspector) touch() {
	u, ok := i.conv.Use()
	switch {
	case !ok:
	case u.Sealed:
		i.session.TouchOpaque(i.keyOf(u.Security))
	default:
		i.session.Touch(session.Handle(u.Handle))
	}
}

// keyOf returns what sessions of a security context are counted by. The last
// one is remembered: it is asked for with every sealed request.
func (i *inspector) keyOf(s *rpcparse.SecurityContext) string {
	if i.key == "" || i.keySecurity != s {
		u, ok := i.userOf(s)
		if !ok {
			return "" // still being looked up: nothing is counted for it yet
		}
		if s != nil && !s.Settled() {
			return u.id.Key() // it may yet become somebody else's
		}
		i.key, i.keySecurity = u.id.Key(), s
	}
	return i.key
}

// clientEvent acts on an event of the client. done says that the verdict is
// final.
func (i *inspector) clientEvent(e *rpcparse.Event, h rpcparse.Header, p *passage) (v relay.Verdict, done bool) {
	switch e.Kind {
	case rpcparse.EventAssociationRequested:
		if err := i.mayJoin(e.Association); err != nil {
			return i.refuseAssociation(e, err), true
		}
	case rpcparse.EventBindRequested:
		return i.admit(e.Call, h, p), true
	}
	return relay.Verdict{}, false
}

// FromServer implements relay.Handler.
func (i *inspector) FromServer(h rpcparse.Header, pdu []byte) relay.Verdict {
	if !i.reached {
		i.reached = true
		i.dialled()
	}
	p, err := i.openPDU(secctx.ServerToClient, h, pdu)
	if err != nil {
		return i.violation(h, pdu, err)
	}
	if err := i.answered(&p, h); err != nil {
		return i.violation(h, pdu, err)
	}
	if i.groups != nil && h.Type.Handshake() {
		i.groups.toClient(i, h, pdu)
	}
	var v relay.Verdict
	var late []byte
	if i.mapper != nil {
		late = i.mapper.interrupted(h)
	}
	if h.Type == rpcparse.PTypeResponse {
		v = i.toClient(&p, i.serverResponse(h, pdu, &p))
	}
	if len(late) > 0 {
		v = behind(late, pdu, v)
	}
	i.withheld = v.Action == relay.Hold
	return i.withDeferred(v)
}

// responding reports whether the client has a part of a response, so that nothing
// of the proxy's own may reach it now.
func (i *inspector) responding() bool { return i.withheld || i.conv.Responding() }

// withDeferred adds the answers that waited for the end of a response which v
// lets go on.
func (i *inspector) withDeferred(v relay.Verdict) relay.Verdict {
	if len(i.deferred) > 0 && !i.responding() {
		v.ToClient = i.flushDeferred(v.ToClient)
	}
	return v
}

// answered follows a server's PDU and acts on what it means.
func (i *inspector) answered(p *passage, h rpcparse.Header) error {
	var scratch [2]rpcparse.Event
	feed := i.conv.FromServer
	if p.opened() {
		feed = i.conv.FromServerOpen
	}
	handshaking := i.conv.Handshaking()
	events, err := feed(h, p.plain, scratch[:0])
	if err != nil {
		return err
	}
	for e := range events {
		if err := i.serverEvent(&events[e]); err != nil {
			return err
		}
	}
	if handshaking {
		i.followKeys()
		if !i.conv.Handshaking() && i.hold != nil && i.hold.call == nil {
			i.conn.Wake()
		}
	}
	return nil
}

func (i *inspector) serverResponse(h rpcparse.Header, pdu []byte, p *passage) relay.Verdict {
	k := i.conv.Call()
	if k == nil {
		return relay.Verdict{}
	}
	if !k.Protected() && h.AuthLength == dummyVerifierSize {
		i.mirror = true
	}
	if i.mapper != nil && k.MapsEndpoints() {
		return i.mapper.answer(k, h, pdu)
	}
	if k.Refers() && i.refersClients() {
		return i.referred(k, h, p)
	}
	return relay.Verdict{}
}

// serverEvent acts on an event of the server.
func (i *inspector) serverEvent(e *rpcparse.Event) error {
	switch e.Kind {
	case rpcparse.EventAssociationJoined:
		i.agreed()
		return i.session.Join(e.Association)
	case rpcparse.EventAssociationRefused:
		i.session.JoinRefused()
		i.leaveGroup()
	case rpcparse.EventAuthenticated:
		i.proved(e.Security)
	case rpcparse.EventBindAnswered:
		i.bindAnswered(e)
	case rpcparse.EventUnbindAnswered:
		i.unbindAnswered(e)
	}
	return nil
}

// agreed tells the relay what the first bind_ack agreed on.
func (i *inspector) agreed() {
	for _, d := range [...]rpcparse.Direction{rpcparse.ClientToServer, rpcparse.ServerToClient} {
		i.conn.SetMaxFragment(d, i.conv.MaxFragment(d))
	}
	i.conn.HandshakeDone()
}

// Resume implements relay.Handler: the PDU that was held is decided again.
func (i *inspector) Resume(from rpcparse.Direction, _ rpcparse.Header, _ []byte) relay.Verdict {
	if from == rpcparse.ServerToClient {
		v := i.mapper.resume()
		i.withheld = v.Action == relay.Hold
		return i.withDeferred(v)
	}
	w := i.hold
	if w == nil {
		return relay.Verdict{Action: relay.Hold} // a wake for what is decided already
	}
	i.hold = nil
	if w.call == nil {
		v := i.FromClient(w.h, w.p.plain)
		if v.Action == relay.Forward { // what was protected again is this copy, not the relay's
			v.Action, v.ToServer = relay.Drop, w.p.plain
		}
		return v
	}
	return i.admit(w.call, w.h, &w.p)
}

// Closed implements relay.Handler.
func (i *inspector) Closed(reason relay.CloseReason) {
	i.session.Close()
	i.leaveGroup()
	i.dialFailed(reason)
	i.server.recorder.closed(i, reason)
	i.kept, i.keptFor, i.deferred, i.answer, i.hold = nil, nil, nil, nil, nil
}

// errInterleaved: fragments of an NspiBind are kept back until it is whole, and
// nothing may overtake them, for PDUs are numbered by their signatures.
var errInterleaved = rpcparse.Errorf(rpcparse.ClassState, "nspi_bind_interleaved", 12, "another PDU between the fragments of an NspiBind")

// errKeptMixed: keys came or went between the fragments of an NspiBind, so that
// some of them are opened and some are not.
var errKeptMixed = rpcparse.Errorf(rpcparse.ClassAuth, "nspi_bind_keys", 0, "keys changed between the fragments of an NspiBind")

// keep holds a fragment of an NspiBind back.
func (i *inspector) keep(p *passage) relay.Verdict {
	if len(i.kept)+len(p.plain) > maxKeptBind {
		return relay.Verdict{Action: relay.Close, Err: rpcparse.Errorf(rpcparse.ClassLimit, "nspi_bind", 0,
			"an NspiBind request of more than %d bytes", maxKeptBind)}
	}
	if len(i.kept) > 0 && p.opened() != i.keptOpened {
		return relay.Verdict{Action: relay.Close, Err: errKeptMixed}
	}
	i.kept, i.keptFor, i.keptOpened = append(i.kept, p.plain...), i.conv.Call(), p.opened()
	return relay.Verdict{Action: relay.Drop}
}

// irregular decides on a client's PDU that breaks a rule. The domain controller
// is the judge of it, and the client gets its answer, except where a session
// could be opened unseen or a limit is exceeded.
func (i *inspector) irregular(p *passage, h rpcparse.Header, err error) relay.Verdict {
	if rpcparse.ClassOf(err) == rpcparse.ClassLimit || len(i.kept) > 0 || i.conv.Hides(p.plain) {
		return i.violation(h, p.plain, err)
	}
	i.server.metrics.left(err)
	return i.toServer(p)
}
