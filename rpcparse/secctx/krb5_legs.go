package secctx

import (
	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/krb5"
)

// krb5Legs is what the server's answer to a ticket is opened with.
type krb5Legs struct {
	initiated   *krb5.Initiated
	established *krb5.Established
}

// The first octets of Kerberos messages (RFC 4120 5.5, 5.9.1).
const (
	tagAPReq    = 0x6e
	tagAPRep    = 0x6f
	tagKRBError = 0x7e
)

func (h *Handshake) krb5Leg(d wire.Direction, message []byte) {
	switch {
	case message[0] == tagAPReq && d == wire.ClientToServer && h.context == nil:
		h.ticket(message)
	case message[0] == tagKRBError && d == wire.ServerToClient && h.context == nil:
		h.krb5, h.identity, h.outcome = nil, nil, Outcome{} // the client tries again, with another ticket or clock
	case message[0] == tagAPRep && d == wire.ServerToClient && h.krb5 != nil && h.krb5.established == nil:
		h.krb5Keys(message)
	case message[0] == tagAPRep && d == wire.ClientToServer && h.krb5 != nil && h.krb5.established != nil:
		if err := h.krb5.established.CheckThirdLeg(message); err != nil {
			h.fail(Undecryptable, err.Error())
		}
		h.endKrb5()
	}
}

// ticket opens the client's AP-REQ. A second one, after an error of the
// server, replaces the first.
func (h *Handshake) ticket(message []byte) {
	h.krb5, h.identity = nil, nil // the ticket before this one does not count any more
	keys := h.keys.Kerberos()
	if keys == nil {
		h.fail(NoKey, "no keytab")
		return
	}
	in, outcome := krb5.OpenAPReq(message, keys)
	if in == nil {
		h.fail(ticketFailure(outcome.Result), outcome.String())
		return
	}
	h.krb5 = &krb5Legs{initiated: in}
	if p := in.PAC; p != nil {
		h.identity = &Identity{SID: p.SID, Groups: p.Groups, Account: p.Domain + `\` + p.Account}
	}
}

func ticketFailure(r krb5.Result) Result {
	switch r {
	case krb5.NoKeyForPrincipal:
		return NoKey
	case krb5.WrongKvno:
		return WrongVersion
	case krb5.Undecryptable:
		return Undecryptable
	}
	return Malformed
}

// krb5Keys opens the server's AP-REP: now all keys and numbers are known.
func (h *Handshake) krb5Keys(message []byte) {
	e, err := h.krb5.initiated.OpenAPRep(message)
	if err != nil {
		h.fail(Undecryptable, err.Error())
		return
	}
	client, server, err := e.Streams()
	if err != nil {
		h.fail(Unsupported, err.Error())
		return
	}
	h.krb5.established = e
	h.establish(krb5Stream{client}, krb5Stream{server})
}

// endKrb5 forgets the keys of the handshake: those of the streams remain.
func (h *Handshake) endKrb5() {
	if h.krb5 != nil && h.krb5.established != nil {
		h.krb5.established.Wipe()
	}
	h.krb5 = nil
}
