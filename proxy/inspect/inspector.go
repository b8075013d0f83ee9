package inspect

import (
	"errors"
	"net/netip"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/session"
)

// errStranger is why a connection is ended that keeps alive an association to whose
// users it does not belong.
var errStranger = errors.New("the users of its association have left, and there was no logon on this connection")

// Options say what an [Inspector] is for.
type Options struct {
	Conn Conn
	// Endpoint is the domain controller's address and port that the connection
	// leads to: association ids are known by it.
	Endpoint netip.AddrPort
	// Backend names the domain controller: its sessions and loads are counted
	// under it.
	Backend string
	// Shown is its name in events, and where users are counted for each domain
	// controller by itself.
	Shown string
	// RuleName is the name by which rules match it.
	RuleName string

	// Ports, on a connection to the endpoint mapper of a forward listener, opens
	// the ports that are put into its answers. Nil: answers are not changed.
	Ports PortOpener
	// Front is put into these answers as the address of the domain controller: the
	// one that the client has connected to.
	Front netip.Addr
	// Interceptor, on a connection to the endpoint mapper through a transparent
	// listener, intercepts the ports in its answers. Nil: answers are not read.
	Interceptor PortInterceptor
	// Referrals rewrites answers of the referral interface. Nil: they pass.
	Referrals *ReferralRewriter
	// Elsewhere says that the client may have connections to the domain controller
	// which do not pass here, as in transparent modes.
	Elsewhere bool
	// Groups names the associations of a listener with several domain
	// controllers, Server (any comparable value) the one that this connection
	// leads to. Nil: associations keep their ids.
	Groups *GroupNames
	Server any
}

// Inspector decides on every PDU of one connection. It routes PDUs to its
// parts; each of them owns its state. It is not safe for concurrent use, but for
// what it hands to Conn.Wake.
type Inspector struct {
	link
	session      *session.Conn
	conv         rpcparse.Conversation
	protection   protection
	identity     identity
	admission    admission
	replies      replies
	rewriters    rewriters
	groups       *groupTranslation // of rewriters; nil: associations keep their ids
	elsewhere    bool              // see Options.Elsewhere
	misjoined    uint8             // see maxMisjoined
	serverClosed bool              // the server has ended its stream
	unfinished   bool              // see account
	kept         int32             // bytes, see account
}

// Init makes i the inspector of a new connection. It is for inspectors that are
// part of a larger value; [New] makes one by itself.
func (i *Inspector) Init(d *Deps, o Options) {
	i.link = link{conn: o.Conn, deps: d, backend: o.Shown, ruleName: o.RuleName}
	scope := d.Settings.Load().scopeOf(o.Shown)
	i.session = d.Sessions.Open(o.Conn.Client(), scope, o.Backend, o.Endpoint.String())
	i.elsewhere = o.Elsewhere
	i.session.EndWith(func() { o.Conn.End(errStranger) })
	if d.Keys != nil {
		i.conv = *rpcparse.NewConversation(rpcparse.ConversationOptions{NewFollower: i.newFollower})
	}
	if o.Groups != nil {
		i.groups = &groupTranslation{names: o.Groups, server: o.Server}
		i.rewriters = append(i.rewriters, i.groups)
	}
	if o.Ports != nil {
		i.rewriters = append(i.rewriters, &endpointRewriter{ports: o.Ports, front: o.Front})
	}
	if o.Interceptor != nil {
		i.rewriters = append(i.rewriters, &portLearner{ports: o.Interceptor, wake: o.Conn.Wake})
	}
	if o.Referrals != nil {
		i.rewriters = append(i.rewriters, o.Referrals)
	}
}

// New returns the inspector of a new connection.
func New(d *Deps, o Options) *Inspector {
	i := new(Inspector)
	i.Init(d, o)
	return i
}

// newFollower follows a security context with keys, unless there is nothing to follow: a
// secure channel has keys that no keytab holds.
func (i *Inspector) newFollower(s *rpcparse.SecurityContext) rpcparse.TokenFollower {
	if s.Type == rpcparse.AuthNetlogon {
		return nil
	}
	return i.protection.follow(i.deps.Keys.Current(i.backend))
}

// FromClient decides on a whole PDU of the client with its parsed header. The
// PDU belongs to the caller; what it holds may be changed in place, and is what
// goes on.
func (i *Inspector) FromClient(h rpcparse.Header, pdu []byte) Verdict {
	var x protectedPDU
	x.parse(h, pdu)
	if i.conv.AwaitsHandshake(&x.PDU) {
		return i.admission.awaitHandshake()
	}
	if i.protection.isDesynced(&i.conv, &x) {
		return i.refuseDesynced(&x)
	}
	i.rewriters.handshake(exchange{&i.link, &i.conv}, rpcparse.ClientToServer, h, pdu)
	if err := i.open(rpcparse.ClientToServer, &x); err != nil {
		return i.violation(h, pdu, err)
	}
	v := i.fromClient(&x)
	if h.Type.Handshake() || h.Type == rpcparse.PTypeRequest && (!h.First() || !h.Last()) {
		if err := i.account(); err != nil {
			return i.violation(h, pdu, err)
		}
	}
	return v
}

// fromClient decides on a client's PDU that has been opened as far as it can be.
func (i *Inspector) fromClient(x *protectedPDU) Verdict {
	var scratch [2]rpcparse.Event
	events, err := i.conv.ClientPDU(&x.PDU, scratch[:0])
	if err != nil {
		return i.irregular(x, err)
	}
	k := x.Call
	if i.admission.interleaves(k) {
		return i.violation(x.Header, x.wire, errInterleaved)
	}
	for n := range events {
		if v, final := i.clientEvent(&events[n], x); final {
			return v
		}
	}
	if x.Type == rpcparse.PTypeAlterContext {
		if err := i.mayOffer(x.CallID); err != nil {
			return i.refuseOffer(x, err)
		}
	}
	i.touch()
	if k.IsBind() && x.Type == rpcparse.PTypeRequest && !x.Last() {
		return i.admission.buffer(k, x)
	}
	if x.Type.Handshake() {
		i.reportKeys()
	}
	return i.toServer(x)
}

// clientEvent acts on an event of the client. final says that the verdict is
// the PDU's.
func (i *Inspector) clientEvent(e *rpcparse.Event, x *protectedPDU) (v Verdict, final bool) {
	switch e.Kind {
	case rpcparse.EventAssociationRequested:
		if err := i.mayJoin(e); err != nil {
			return i.refuseAssociation(e, err), true
		}
	case rpcparse.EventBindRequested:
		return i.admit(e.Call, x), true
	}
	return Verdict{}, false
}

// touch notes that a session is in use.
func (i *Inspector) touch() {
	u, ok := i.conv.SessionUse()
	switch {
	case !ok:
	case u.Sealed:
		i.session.TouchOpaque(i.keyOf(u.Security))
	default:
		i.session.Touch(session.Handle(u.Handle))
	}
}

// open verifies and decrypts a PDU as far as it has to be read.
func (i *Inspector) open(d rpcparse.Direction, x *protectedPDU) error {
	verified, err := i.protection.open(&i.conv, d, x)
	if !verified {
		i.report(Unverified{})
	}
	return err
}

// toServer lets a client's PDU go on.
func (i *Inspector) toServer(x *protectedPDU) Verdict {
	if err := x.finish(rpcparse.ClientToServer); err != nil {
		return closing(err)
	}
	return Verdict{}
}

// Resume decides again on the PDU of one side that was answered with Hold. h and
// pdu are that PDU, as the inspector left it. Hold is a valid answer: a wake may
// have been for something that is decided by now.
func (i *Inspector) Resume(from rpcparse.Direction, h rpcparse.Header, pdu []byte) Verdict {
	if from == rpcparse.ServerToClient {
		return i.finish(i.rewriters.resume())
	}
	switch w := i.admission.take(pdu); {
	case w == nil:
		return Verdict{Action: Hold}
	case w.call == nil:
		return i.FromClient(h, pdu)
	default:
		v := i.admit(w.call, &w.pdu)
		_ = i.account() // it keeps less now
		return v
	}
}

// Sessionless reports whether there has never been a session in the connection's
// association.
func (i *Inspector) Sessionless() bool { return !i.session.HadSession() }

// NotRPC tells that the connection does not carry DCE/RPC and passes unseen.
func (i *Inspector) NotRPC() { i.report(NotRPC{i.source()}) }

// ServerClosed tells that the server has ended its stream: what the domain
// controller held for this connection is over, whatever the client does.
func (i *Inspector) ServerClosed() {
	i.serverClosed = true
	i.session.Close()
	i.leaveGroup()
}

// Malformed tells that the stream of one side cannot be cut into PDUs any
// further; head is what it goes on with. The connection is to be closed, after
// the answer: whole PDUs for the client, or nil, valid until the next call.
func (i *Inspector) Malformed(head []byte, err error) (toClient []byte) {
	return i.violation(claimedHeader(head), head, err).ToClient
}

// Close tells that the connection has ended. It is the last call. It does not
// report the end, because only the driver of the inspector knows the reason.
func (i *Inspector) Close() {
	i.session.Close()
	i.leaveGroup()
	i.admission, i.replies = admission{}, replies{}
}

// reportKeys reports which security contexts could be followed with keys.
func (i *Inspector) reportKeys() {
	for _, outcome := range i.protection.takeOutcomes() {
		i.report(KeyOutcome{Source: i.source(), Outcome: outcome})
	}
}
