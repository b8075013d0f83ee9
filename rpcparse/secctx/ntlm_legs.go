package secctx

import (
	"crypto/subtle"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/ntlm"
)

// ntlmLegs is what the last message of an NTLM handshake is judged by.
type ntlmLegs struct {
	negotiate, challenge []byte // as sent: a MIC covers them
}

// maxNTLMMessage bounds the NEGOTIATE and CHALLENGE that are kept until the
// handshake is over. A CHALLENGE has some hundred bytes.
const maxNTLMMessage = 4096

func (h *Handshake) ntlmLeg(d wire.Direction, message []byte) {
	t, ok := ntlm.Type(message)
	if !ok || len(message) > maxNTLMMessage && t != ntlm.TypeAuthenticate {
		h.fail(Malformed, "NTLM message")
		return
	}
	switch {
	case t == ntlm.TypeNegotiate && d == wire.ClientToServer:
		h.ntlm = &ntlmLegs{negotiate: append([]byte(nil), message...)}
	case t == ntlm.TypeChallenge && d == wire.ServerToClient && h.ntlm != nil:
		h.ntlm.challenge = append([]byte(nil), message...)
	case t == ntlm.TypeAuthenticate && d == wire.ClientToServer && h.ntlm != nil && h.ntlm.challenge != nil:
		h.ntlmKeys(message)
	default:
		h.fail(Malformed, "NTLM message out of order")
	}
}

// ntlmKeys derives the keys from the last message.
func (h *Handshake) ntlmKeys(message []byte) {
	c, err := ntlm.ParseChallenge(h.ntlm.challenge)
	if err != nil {
		h.fail(Malformed, err.Error())
		return
	}
	a, err := ntlm.ParseAuthenticate(message, c.Flags)
	if err != nil {
		h.fail(Malformed, err.Error())
		return
	}
	if a.Anonymous {
		h.fail(Unsupported, "anonymous logon")
		return
	}
	if _, v2 := ntlm.ParseNTLMv2Response(a.NTResponse); !v2 {
		h.fail(Unsupported, "NTLMv1") // its proof can be computed by anybody who has seen a few
		return
	}
	hashes := h.keys.NTHashes(a.Domain, a.User)
	if len(hashes) == 0 {
		h.fail(NoKey, "no key of this account")
		return
	}
	key, err := proven(&a, hashes, c.ServerChallenge)
	if err != nil {
		h.fail(keyFailure(err), err.Error())
		return
	}
	if a.MIC != nil && !h.micVerifies(key, message, a.MIC) {
		h.fail(Undecryptable, "the MIC of the handshake does not verify")
		return
	}
	client, err := ntlm.NewStream(key, a.Flags, ntlm.FromClient)
	if err != nil {
		h.fail(Unsupported, err.Error())
		return
	}
	server, err := ntlm.NewStream(key, a.Flags, ntlm.FromServer)
	if err != nil {
		h.fail(Unsupported, err.Error())
		return
	}
	h.establish(ntlmStream{client}, ntlmStream{server})
}

func (h *Handshake) micVerifies(key ntlm.Key, message, mic []byte) bool {
	want := ntlm.HandshakeMIC(key, h.ntlm.negotiate, h.ntlm.challenge, message)
	return subtle.ConstantTimeCompare(want[:], mic) == 1
}

// proven returns the session key by the hash that the client proves to have.
func proven(a *ntlm.Authenticate, hashes [][16]byte, challenge [ntlm.ChallengeSize]byte) (key ntlm.Key, err error) {
	for _, hash := range hashes {
		if key, err = a.Key(hash, challenge); err == nil {
			return key, nil
		}
	}
	return key, err
}

// keyFailure says what it means that no key could be derived.
func keyFailure(err error) Result {
	switch wire.ClassOf(err) {
	case wire.ClassAuth:
		return Undecryptable // the hash is not the one that the client has
	case wire.ClassState:
		return Unsupported
	}
	return Malformed
}
