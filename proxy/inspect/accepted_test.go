package inspect

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/nspiproxy/nspiproxy/internal/testkit/forge"
	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/ntlm"
	"github.com/nspiproxy/nspiproxy/session"
)

// leg is one token of a client, and what the domain controller would make of it.
type leg struct {
	call, context uint32
	token         []byte
	kind          legKind
	user          string        // whose key the session has if it is accepted; unread: it cannot be known
	client        *forge.Client // of a ticket
	nonce         int           // of the CHALLENGE that an AUTHENTICATE answers
	welcome       bool          // the domain controller accepts it if it can
}

type legKind int

const (
	legNegotiate legKind = iota
	legAuthenticate
	legTicket // of one leg
	legMutual // of two
	legFirst  // of three
	legThird
	legUnread
	legKinds
)

const unread = "unread"

// acceptor is the model of a domain controller's side of one security context: which user it has accepted last.
type acceptor struct {
	done      bool
	user      string
	names     *secured      // of the CHALLENGE that it has sent
	challenge []byte        // nil: none
	nonce     int           // counts them
	ticket    *forge.Client // that waits for its last leg
	answer    []byte        // its AP-REP
	failed    bool          // its last leg was an auth3 that did not succeed: calls get a fault
	// muddled says that several legs were under way at once, or that one came behind the last: the proxy may give up the
	// user then, not take another.
	muddled bool
}

// answered is what the domain controller answers to a leg; fault: it refuses.
func (a *acceptor) answered(t testing.TB, l *leg) (token []byte, fault bool) {
	able := map[legKind]bool{
		legNegotiate: true, legTicket: true, legMutual: true, legFirst: true, legUnread: true,
		legAuthenticate: a.challenge != nil && l.nonce == a.nonce, legThird: a.ticket != nil && a.ticket == l.client,
	}[l.kind]
	if a.done {
		return nil, true
	}
	a.challenge, a.ticket = nil, nil
	if !able || !l.welcome {
		return nil, true
	}
	switch l.kind {
	case legNegotiate:
		a.names = named(t, "LAB", "alice")
		a.nonce++
		a.challenge = a.names.challenge(l.token)
		return a.challenge, false
	case legFirst:
		a.ticket, a.answer = l.client, l.client.Answer(nil)
		return a.answer, false
	}
	a.done, a.user = true, l.user
	if l.kind == legMutual {
		return l.client.Answer(nil), false
	}
	return nil, false
}

// handshakes is a connection with any handshakes, in several contexts, and binds between them.
type handshakes struct {
	t        *rapid.T
	tb       testing.TB
	d        *driver
	contexts map[uint32]*acceptor
	inFlight []*leg
	call     uint32
	tickets  []*forge.Client
	seen     map[string]int // how many sessions were charged to users of each kind
}

func (h *handshakes) pick(name string, n int) int { return rapid.IntRange(0, n-1).Draw(h.t, name) }

// next draws a leg that a client can send in the context now.
func (h *handshakes) next(id uint32) *leg {
	a := h.contexts[id]
	h.call++
	l := &leg{call: h.call, context: id, welcome: h.pick("welcome", 3) > 0, kind: legKind(h.pick("leg", int(legKinds)))}
	switch goOn := h.pick("go on", 2) > 0; {
	case goOn && a.challenge != nil:
		l.kind = legAuthenticate
	case goOn && a.ticket != nil:
		l.kind = legThird
	}
	l.client = h.tickets[h.pick("ticket", len(h.tickets))]
	switch {
	case l.kind == legAuthenticate && a.challenge != nil:
		user := []string{"alice", "bob"}[h.pick("user", 2)]
		a.names.client.User = user
		l.token, l.nonce = a.names.authenticate(a.challenge), a.nonce
		l.user = session.Identity{Assurance: session.AssuranceClaimed, Account: session.Account{Domain: "LAB", User: user}}.Key()
	case l.kind == legThird && a.ticket != nil:
		l.client = a.ticket
		l.token, _ = a.ticket.Third(a.answer)
		l.user = "sid:" + sidOfClient(l.client)
	case l.kind == legTicket || l.kind == legMutual || l.kind == legFirst:
		c := *l.client
		l.client = &c
		c.Flags = map[legKind]uint32{legTicket: forge.OneLeg, legMutual: forge.Mutual, legFirst: forge.DCEStyle}[l.kind]
		l.token, l.user = l.client.Request(), "sid:"+sidOfClient(&c)
	case l.kind == legUnread:
		l.token, l.user = h.illegible(), unread
	default:
		l.kind = legNegotiate
		token, err := (&ntlm.Initiator{}).Negotiate()
		l.token = must(h.tb, token, err)
	}
	return l
}

// illegible is a token that a domain controller may read, and the proxy does not.
func (h *handshakes) illegible() []byte {
	other := &forge.Client{Ticket: forge.NewTicket(forge.NewKey(77), "besadmin", besSID), Flags: forge.OneLeg}
	authenticate, _ := ntlm.AppendAuthenticate(nil, ntlm.Authenticate{Flags: ntlm.FlagUnicode, User: "alice", NTResponse: make([]byte, 24)})
	for n := range len(authenticate) - 12 {
		authenticate[12+n] = 0xff // fields beyond the message
	}
	return [][]byte{{0xa1, 0x85, 0}, other.Request(), authenticate, forge.Frame([]byte{0x30, 0})}[h.pick("illegible", 4)]
}

func sidOfClient(c *forge.Client) string {
	if c.Ticket.Client.NameString[0] == "besadmin" {
		return besSID
	}
	return aliceSID
}

func (h *handshakes) verifier(id uint32, token []byte) *rpcparse.Verifier {
	return &rpcparse.Verifier{Type: rpcparse.AuthSPNEGO, Level: rpcparse.LevelConnect, ContextID: id, Token: token}
}

func (h *handshakes) send(id uint32) {
	l := h.next(id)
	if slices.ContainsFunc(h.inFlight, func(o *leg) bool { return o.context == id }) {
		h.contexts[id].muddled = true
	}
	if l.kind == legAuthenticate && len(h.inFlight) == 0 && h.pick("auth3", 2) > 0 {
		_, h.contexts[id].failed = h.contexts[id].answered(h.tb, l)
		h.d.client(auth3PDU(h.tb, l.call, *h.verifier(id, l.token)))
		return
	}
	h.inFlight = append(h.inFlight, l)
	h.d.client(bindPDU(h.tb, rpcparse.PTypeAlterContext, l.call, 0, h.verifier(id, l.token)))
}

// answer has the domain controller answer the oldest leg.
func (h *handshakes) answer() {
	l := h.inFlight[0]
	h.inFlight = h.inFlight[1:]
	token, fault := h.contexts[l.context].answered(h.tb, l)
	switch {
	case fault:
		h.d.server(rpc{id: l.call}.fault(h.tb, rpcparse.StatusAccessDenied))
	case token == nil:
		h.d.server(ackPDU(h.tb, rpcparse.PTypeAlterContextResp, l.call, 0, nil))
	default:
		h.d.server(ackPDU(h.tb, rpcparse.PTypeAlterContextResp, l.call, 0, h.verifier(l.context, token)))
	}
}

// bind makes a session under a context, and checks whom it is charged to.
func (h *handshakes) bind(id uint32) {
	h.call++
	before := h.charged()
	r := rpc{id: h.call, opnum: nspi.OpnumBind}
	token := ntlm.DummyToken
	v := *h.verifier(id, token[:])
	stub := r.bindStub()
	v.PadLength = rpcparse.PadTo(len(stub), 16)
	request, err := rpcparse.AppendRequest(nil, rpcparse.Request{Header: r.header(rpcparse.PTypeRequest), Opnum: r.opnum,
		AllocHint: uint32(len(stub)), Stub: stub, HasVerifier: true, Verifier: v})
	h.d.atServer()
	h.d.client(must(h.tb, request, err))
	if len(h.d.atServer()) == 0 {
		return // refused, or the connection is closed
	}
	a, got := h.contexts[id], ""
	if a.failed && !a.done {
		h.d.server(r.fault(h.tb, rpcparse.StatusAccessDenied))
		return
	}
	h.d.server(r.response(h.tb, r.grantedStub(nspi.Handle{4: 1, 18: byte(h.call >> 8), 19: byte(h.call)})))
	for key, n := range h.charged() {
		if n != before[key] {
			got = key
		}
	}
	nameless := got == "address:10.1.2.3"
	want := a.user
	switch none := want == "" || want == unread; {
	case none != nameless && (!a.muddled || !nameless), !none && !nameless && got != want:
		h.t.Fatalf("charged to %q, and the domain controller has accepted %q", got, want)
	case want == unread && !a.muddled && h.assurance(&v) != session.AssuranceUnreadable:
		h.t.Fatalf("%v, and the domain controller has accepted what cannot be read", h.assurance(&v))
	}
	h.seen[a.user[:min(3, len(a.user))]]++
}

// assurance is how well the user of a context is known now.
func (h *handshakes) assurance(v *rpcparse.Verifier) session.Assurance {
	u, _ := h.d.inspector.userOf(h.d.inspector.conv.Security(v))
	return u.id.Assurance
}

// charged returns how many sessions users have, by key.
func (h *handshakes) charged() map[string]int {
	all := map[string]int{}
	for _, u := range h.d.site.table.Users() {
		all[u.User.Key()] += u.Held
	}
	return all
}

// A session is charged to the user that the domain controller has accepted last in its security context, or to none.
func TestSessionsAreChargedToTheUserAcceptedLastOrToNone(t *testing.T) {
	const rounds = 10 // some faults need a thousand histories to be found
	seen := map[string]int{}
	for round := 0; round < rounds && !t.Failed(); round++ {
		rapid.Check(t, func(rt *rapid.T) { acceptedHistory(t, rt, seen) })
	}
	if !testing.Short() && min(seen["sid"], seen["acc"], seen["unr"], seen[""]) == 0 && !t.Failed() {
		t.Errorf("not all kinds of users had sessions: %v", seen)
	}
}

// acceptedHistory is one history; seen counts the kinds of users that had sessions.
func acceptedHistory(t *testing.T, rt *rapid.T, seen map[string]int) {
	s := newSite(t, limit(policy.Unlimited))
	s.deps.Keys = dcKeys(t)
	h := &handshakes{t: rt, tb: t, d: s.connect(), contexts: map[uint32]*acceptor{7: {}, 8: {}}, call: 1, seen: seen,
		tickets: []*forge.Client{ticketOfUser("besadmin", besSID, 0), ticketOfUser("alice", aliceSID, 0)}}
	h.d.bound(nil)
	for range rapid.IntRange(1, 40).Draw(rt, "steps") {
		id := uint32(7 + h.pick("context", 2))
		switch step := h.pick("step", 8); {
		case h.d.closed:
			return
		case len(h.inFlight) > 0 && (step > 0 || len(h.inFlight) > 2):
			h.answer()
		case step < 5:
			h.send(id)
		default:
			h.bind(id)
		}
	}
}
