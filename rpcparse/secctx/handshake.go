package secctx

import (
	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/krb5"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/spnego"
)

// maxToken bounds a token that is looked into. Kerberos tickets with many
// groups reach 48,000 bytes (MaxTokenSize of Windows).
const maxToken = 65535

// Keys are what is known of the server's and its users' secrets.
type Keys interface {
	// NTHashes returns the NT hashes that an account of that name may have: its
	// own, older ones, those of the same name in other realms. The client's
	// proof says which one it is.
	NTHashes(domain, user string) [][16]byte
	// Kerberos returns the keys of the server's own account, nil for none.
	Kerberos() *krb5.Service
}

// Handshake follows the tokens of one security context. It is an
// rpcparse.TokenFollower.
//
// It answers two questions that have little to do with each other. [Handshake.Context]
// has the keys that protect PDUs. [Handshake.Identity] is whom a ticket names, once
// the server has shown that it accepted this very ticket. Every token of the
// client begins anew with the second question, unless it goes on with the ticket
// before it: what was presented before does not count any more.
type Handshake struct {
	keys     Keys
	outcome  Outcome
	unread   Outcome // why the user is not known; Pending: there is no reason
	identity *Identity
	context  *Context

	ntlm  *ntlmLegs
	krb5  *krb5Legs
	mechs []byte // the client's mechanism list, which a mechListMIC signs
}

// NewHandshake returns a handshake that is looked at with keys.
func NewHandshake(keys Keys) *Handshake { return &Handshake{keys: keys} }

// Context returns the established context, or nil while or because its keys
// are not known.
func (h *Handshake) Context() *Context { return h.context }

// Outcome says how far the handshake could be followed towards the keys of its
// PDUs.
func (h *Handshake) Outcome() Outcome { return h.outcome }

// Identity returns whom the ticket names that the server has accepted. An AP-REP
// that the session key of the ticket opens shows that, with the client's last leg
// where there is one (RFC 4120 3.2.4, MS-KILE 3.4.5.1), or the end of an exchange
// that has no AP-REP.
func (h *Handshake) Identity() (id *Identity, ok bool) { return h.identity, h.identity != nil }

// Unread says why it is not known whom the client has presented; ok is false
// where that is known, or nothing was presented, or there are no keys that could
// say it.
func (h *Handshake) Unread() (why Outcome, ok bool) { return h.unread, h.unread.Result != Pending }

// Kept says how many bytes of tokens h keeps for the legs that follow, and how many of the
// identity, which an account has.
func (h *Handshake) Kept() (charged, free int) {
	charged = len(h.mechs)
	if h.ntlm != nil {
		charged += len(h.ntlm.negotiate) + len(h.ntlm.challenge)
	}
	if h.krb5 != nil && h.krb5.identity != nil {
		free += h.krb5.identity.size()
	}
	if h.identity != nil {
		free += h.identity.size()
	}
	return charged, free
}

// Keyed reports whether there are keys that could open a ticket.
func (h *Handshake) Keyed() bool { return h.keys.Kerberos() != nil }

// FromClient follows a token of the client.
func (h *Handshake) FromClient(token []byte) {
	if len(token) > maxToken {
		h.restart()
		h.misread(Malformed, "a token of more than 65535 bytes")
		return
	}
	envelope, err := spnego.Parse(token)
	if err == nil && envelope.Init {
		h.mechs = append([]byte(nil), envelope.MechTypeList...)
	}
	mech, inner, ok := spnego.Unwrap(token)
	switch {
	case ok && mech == spnego.MechNTLM:
		h.restart()
		h.ntlmLeg(wire.ClientToServer, inner)
	case ok:
		h.krb5Client(inner, err == nil)
	case err != nil:
		h.restart()
		h.misread(Malformed, err.Error())
	case len(envelope.MechToken) > 0:
		h.restart()
		h.misread(Unsupported, "a mechanism that is not known")
	case envelope.Init:
		h.restart()
	}
	if err == nil {
		h.listMIC(wire.ClientToServer, envelope.ListMIC)
	}
}

// FromServer follows a token of the server, which is empty where its answer has
// none.
func (h *Handshake) FromServer(token []byte) {
	if len(token) > maxToken {
		h.fail(Malformed, "a token of more than 65535 bytes")
		return
	}
	mech, inner, ok := spnego.Unwrap(token)
	switch {
	case ok && mech == spnego.MechNTLM:
		h.ntlmLeg(wire.ServerToClient, inner)
	case ok:
		h.krb5Server(inner)
	}
	envelope, err := spnego.Parse(token)
	if err == nil {
		h.listMIC(wire.ServerToClient, envelope.ListMIC)
		if envelope.HasState && envelope.State == spnego.StateAcceptCompleted {
			h.mechs = nil // the client has signed it, if it does
		}
	}
	h.completed(token, envelope, err)
}

// Rejected tells that the server has refused the last token with a fault.
func (h *Handshake) Rejected() { h.restart() }

// Refused ends following, if that has not ended otherwise.
func (h *Handshake) Refused() {
	if h.outcome.Result == Pending {
		h.fail(Refused, "the server refused the handshake")
	}
}

// restart forgets what the client has presented before. NTLM's first messages
// stay, because its last one follows them.
func (h *Handshake) restart() {
	if h.krb5 != nil {
		h.krb5.wipe()
	}
	h.identity, h.krb5, h.context, h.outcome, h.unread = nil, nil, nil, Outcome{}, Outcome{}
}

// listMIC verifies a signature of the mechanism list, nil if there is none. It
// consumes a number.
func (h *Handshake) listMIC(d wire.Direction, mic []byte) {
	if h.context == nil || mic == nil {
		return
	}
	var err error
	switch s := h.context.in[d].(type) {
	case ntlmStream:
		err = s.VerifyListMIC(h.mechs, mic)
	case krb5Stream:
		err = s.VerifyMIC(h.mechs, mic)
	}
	if err != nil {
		h.fail(Undecryptable, "mechListMIC: "+err.Error())
	}
}

// misread notes that the client has presented something that could not be read:
// neither its user nor its keys are known.
func (h *Handshake) misread(r Result, detail string) {
	h.identity, h.unread = nil, Outcome{Result: r, Detail: detail}
	h.fail(r, detail)
}

// fail ends following towards the keys: the context stays without.
func (h *Handshake) fail(r Result, detail string) {
	h.context, h.ntlm = nil, nil
	h.outcome = Outcome{Result: r, Detail: detail}
}

// establish has the keys of both directions.
func (h *Handshake) establish(client, server stream) {
	h.context = &Context{in: [2]stream{client, server}}
	h.outcome = Outcome{Result: KeyFound}
	h.ntlm = nil
}
