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
	// Kerberos returns the keys of services, nil for none.
	Kerberos() *krb5.Keytab
}

// Handshake follows the tokens of one security context. It is an
// rpcparse.TokenFollower.
type Handshake struct {
	keys     Keys
	outcome  Outcome
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

// Outcome says how far the handshake could be followed.
func (h *Handshake) Outcome() Outcome { return h.outcome }

// Identity returns whom a verified ticket names.
func (h *Handshake) Identity() (id *Identity, ok bool) { return h.identity, h.identity != nil }

// FromClient follows a token of the client.
func (h *Handshake) FromClient(token []byte) { h.leg(wire.ClientToServer, token) }

// FromServer follows a token of the server.
func (h *Handshake) FromServer(token []byte) { h.leg(wire.ServerToClient, token) }

// Refused ends following, if that has not ended otherwise.
func (h *Handshake) Refused() {
	if h.outcome.Result == Pending {
		h.fail(Refused, "the server refused the handshake")
	}
}

// leg looks into a token. What cannot be read leaves the context without keys
// and the connection alone.
func (h *Handshake) leg(d wire.Direction, token []byte) {
	if len(token) > maxToken {
		h.fail(Malformed, "a token of more than 65535 bytes")
		return
	}
	envelope, err := spnego.Parse(token)
	if err == nil && envelope.Init {
		h.mechs = append([]byte(nil), envelope.MechTypeList...)
	}
	if mech, inner, ok := spnego.Unwrap(token); ok {
		switch mech {
		case spnego.MechNTLM:
			h.ntlmLeg(d, inner)
		case spnego.MechKerberos:
			h.krb5Leg(d, inner)
		}
	}
	if err == nil && envelope.ListMIC != nil {
		h.listMIC(d, envelope.ListMIC)
	}
}

// listMIC verifies a signature of the mechanism list. It consumes a number.
func (h *Handshake) listMIC(d wire.Direction, mic []byte) {
	if h.context == nil {
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

// fail ends following: the context stays without keys.
func (h *Handshake) fail(r Result, detail string) {
	h.context, h.ntlm, h.krb5 = nil, nil, nil
	h.outcome = Outcome{Result: r, Detail: detail}
}

// establish has the keys of both directions.
func (h *Handshake) establish(client, server stream) {
	h.context = &Context{in: [2]stream{client, server}}
	h.outcome = Outcome{Result: KeyFound}
	h.ntlm = nil
}
