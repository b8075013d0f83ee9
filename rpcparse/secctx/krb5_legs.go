package secctx

import (
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/krb5"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/spnego"
)

// krb5Legs is the ticket that the client has presented last, which a key of the
// server's has opened.
type krb5Legs struct {
	initiated   *krb5.Initiated
	established *krb5.Established // nil before the server's AP-REP
	identity    *Identity         // whom the ticket names; nil: it has no PAC that can be trusted
	unread      Outcome           // then: why
	negotiated  bool              // the ticket came in SPNEGO
}

// The first octets of Kerberos messages (RFC 4120 5.5, 5.9.1).
const (
	tagAPReq    = 0x6e
	tagAPRep    = 0x6f
	tagKRBError = 0x7e
)

// krb5Client follows a Kerberos message of the client. negotiated says that it
// came in SPNEGO.
func (h *Handshake) krb5Client(message []byte, negotiated bool) {
	switch {
	case message[0] == tagAPReq:
		h.restart()
		h.ticket(message, negotiated)
	case message[0] == tagAPRep && h.krb5 != nil && h.krb5.established != nil && h.krb5.initiated.DCEStyle():
		h.thirdLeg(message)
	case h.krb5 != nil || message[0] != tagAPRep:
		h.restart()
		h.misread(Malformed, "a Kerberos message out of order")
	}
}

// krb5Server follows a Kerberos message of the server.
func (h *Handshake) krb5Server(message []byte) {
	switch {
	case message[0] == tagKRBError:
		h.restart() // the client tries again, with another ticket or clock
	case message[0] == tagAPRep && h.krb5 != nil && h.krb5.established == nil:
		h.answered(message)
	}
}

// ticket opens the client's AP-REQ.
func (h *Handshake) ticket(message []byte, negotiated bool) {
	keys := h.keys.Kerberos()
	if keys == nil {
		h.fail(NoKey, "no key of the server")
		return
	}
	in, outcome := krb5.OpenAPReq(message, keys)
	if in == nil {
		h.misread(resultOf(outcome.Result), outcome.String())
		return
	}
	h.krb5 = &krb5Legs{initiated: in, negotiated: negotiated}
	h.krb5.identity, h.krb5.unread = identityOf(in)
	if err := in.Protection; err != nil {
		h.fail(Unsupported, err.Error())
	}
}

// identityOf returns whom a ticket names, or why it is not known.
func identityOf(in *krb5.Initiated) (*Identity, Outcome) {
	switch p := in.PAC; {
	case p != nil:
		return &Identity{SID: p.SID, Groups: p.Groups, Domain: p.Domain, DNSDomain: p.DNSDomain, User: p.Account, UPN: p.UPN, Foreign: p.Foreign}, Outcome{}
	case in.PACErr != nil:
		return nil, Outcome{Result: BadPAC, Detail: in.PACErr.Error()}
	}
	return nil, Outcome{Result: NoPAC, Detail: "the ticket has no PAC"}
}

func resultOf(r krb5.Result) Result {
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

// answered opens the server's AP-REP, with which all keys and numbers are known:
// the server has read this ticket.
func (h *Handshake) answered(message []byte) {
	k := h.krb5
	e, err := k.initiated.OpenAPRep(message)
	if err != nil {
		h.unproven("the server's AP-REP: " + err.Error())
		return
	}
	k.established = e
	h.keys.Kerberos().Confirm(k.initiated)
	if h.outcome.Result == Pending {
		h.krb5Keys(e)
	}
	if !k.initiated.DCEStyle() {
		h.accept()
	}
}

// krb5Keys makes the streams of both directions.
func (h *Handshake) krb5Keys(e *krb5.Established) {
	client, server, err := e.Streams()
	if err != nil {
		h.fail(Unsupported, err.Error())
		return
	}
	h.establish(krb5Stream{client}, krb5Stream{server})
}

// thirdLeg checks the client's AP-REP, which only the ticket's owner can make: in
// DCE style servers accept nothing before it (MS-KILE 3.4.5.1).
func (h *Handshake) thirdLeg(message []byte) {
	if err := h.krb5.established.CheckThirdLeg(message); err != nil {
		h.unproven("the client's AP-REP: " + err.Error())
		return
	}
	h.accept()
}

// completed follows the end of an exchange that has no AP-REP, because the client
// asked for none, and finds tickets that the server did not answer.
func (h *Handshake) completed(token []byte, envelope spnego.Token, err error) {
	k := h.krb5
	if k == nil {
		return
	}
	rejected := err == nil && envelope.HasState && envelope.State == spnego.StateReject
	if rejected {
		h.restart()
		return
	}
	done := len(token) == 0 && !k.negotiated
	if k.negotiated && err == nil {
		done = envelope.HasState && envelope.State == spnego.StateAcceptCompleted && len(envelope.MechToken) == 0 &&
			(envelope.SupportedMech == "" || envelope.SupportedMech.Mech() == spnego.MechKerberos)
	}
	switch {
	case !done || k.established != nil:
	case k.initiated.DCEStyle() || k.initiated.Mutual():
		h.unproven("the server accepted without an AP-REP")
	default:
		h.accept()
	}
}

// accept takes the identity of a ticket that the server has accepted.
func (h *Handshake) accept() {
	h.identity, h.unread = h.krb5.identity, h.krb5.unread
	h.krb5.wipe()
	h.krb5 = nil
}

// unproven notes that it could not be seen whether the server accepted the ticket:
// it may have read another token than this one.
func (h *Handshake) unproven(detail string) {
	h.krb5.wipe()
	h.krb5 = nil
	h.misread(Undecryptable, detail)
	h.unread.Result = Unproven
}

// wipe forgets the keys of the handshake: those of the streams remain.
func (k *krb5Legs) wipe() {
	if k.established != nil {
		k.established.Wipe()
		return
	}
	k.initiated.Wipe()
}
