package ntlm

import (
	"crypto/rand"
	"encoding/binary"
	"io"
	"time"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// clientFlags is what an Initiator asks for.
const clientFlags = FlagUnicode | FlagRequestTarget | FlagSign | FlagSeal | FlagNTLM | FlagAlwaysSign |
	FlagExtendedSessionSecurity | FlagTargetInfo | FlagVersion | Flag128 | FlagKeyExchange | Flag56

// Initiator is the client's end of one handshake. Set its fields, then call
// Negotiate, Authenticate and Session in this order. An empty User makes an
// anonymous handshake, which has no session.
type Initiator struct {
	Domain, User, Password, Workstation string

	Target  string    // service principal name to tell the server, or ""
	Without Flags     // flags not to ask for, e.g. FlagKeyExchange
	NoMIC   bool      // send no MIC, as clients before Windows Vista
	Rand    io.Reader // nil: crypto/rand

	negotiate []byte
	flags     Flags
	key       Key
}

// Negotiate returns the first message.
func (i *Initiator) Negotiate() ([]byte, error) {
	var err error
	i.negotiate, err = AppendNegotiate(nil, Negotiate{Flags: clientFlags &^ i.Without})
	return i.negotiate, err
}

// Authenticate answers the server's challenge.
func (i *Initiator) Authenticate(challenge []byte) ([]byte, error) {
	c, err := ParseChallenge(challenge)
	if err != nil {
		return nil, err
	}
	a := Authenticate{Flags: c.Flags & (clientFlags &^ i.Without), Domain: i.Domain, User: i.User, Workstation: i.Workstation}
	if i.User == "" {
		a.Flags |= FlagAnonymous
		a.LMResponse = []byte{0}
		return AppendAuthenticate(nil, a)
	}
	if err := i.prove(&a, c); err != nil {
		return nil, err
	}
	token, err := AppendAuthenticate(nil, a)
	if err != nil || a.MIC == nil {
		return token, err
	}
	mic := HandshakeMIC(i.key, i.negotiate, challenge, token)
	copy(token[authMIC:], mic[:])
	return token, nil
}

// prove fills in the responses and keys of a.
func (i *Initiator) prove(a *Authenticate, c Challenge) error {
	random := i.Rand
	if random == nil {
		random = rand.Reader
	}
	var nonce [ChallengeSize]byte
	if _, err := io.ReadFull(random, nonce[:]); err != nil {
		return err
	}
	stamp, stamped := c.TargetInfo.Timestamp()
	if !stamped {
		stamp = FileTime(time.Now())
	}
	mic := stamped && !i.NoMIC
	owf := NTOWFv2(NTHash(i.Password), i.User, i.Domain)
	a.NTResponse = responseV2(owf, c.ServerChallenge, nonce, stamp, i.targetInfo(c.TargetInfo, mic))
	a.LMResponse = make([]byte, v1ResponseSize) // MS-NLMP 3.1.5.1.2: Z(24)
	if mic {
		a.MIC = make([]byte, micSize)
	}
	i.flags = a.Flags
	i.key = hmacMD5(owf[:], a.NTResponse[:proofSize])
	if a.Flags.Has(FlagKeyExchange) {
		exchange := i.key
		if _, err := io.ReadFull(random, i.key[:]); err != nil {
			return err
		}
		a.SessionKey = crypt(exchange, i.key[:])
	}
	return nil
}

// targetInfo returns the server's attributes and the client's own.
func (i *Initiator) targetInfo(server AVPairs, mic bool) []byte {
	var out []byte
	for id, v := range server.All() {
		if id != AVFlags && id != AVTargetName {
			out = AppendAVPair(out, id, v)
		}
	}
	if mic {
		out = AppendAVPair(out, AVFlags, binary.LittleEndian.AppendUint32(nil, avFlagMIC))
	}
	if i.Target != "" {
		out = AppendAVPair(out, AVTargetName, AppendUTF16(nil, i.Target))
	}
	return AppendAVPair(out, AVEOL, nil)
}

// Session returns the client's view of the security context.
func (i *Initiator) Session() (*Session, error) {
	if i.User == "" {
		return nil, wire.Errorf(wire.ClassState, "ntlm_anonymous", 0, "an anonymous context protects nothing")
	}
	return NewSession(i.key, i.flags, FromClient)
}

// Key returns the session key, once Authenticate has been called.
func (i *Initiator) Key() Key { return i.key }

// responseV2 makes an NTLMv2 response (MS-NLMP 3.3.2).
func responseV2(owf Hash, server, client [ChallengeSize]byte, stamp uint64, pairs []byte) []byte {
	r := make([]byte, v2Pairs, v2Pairs+len(pairs)+4)
	r[proofSize], r[proofSize+1] = 1, 1
	binary.LittleEndian.PutUint64(r[v2Time:], stamp)
	copy(r[v2ClientChallenge:], client[:])
	r = append(append(r, pairs...), 0, 0, 0, 0)
	proof := proofV2(owf, server, r[proofSize:])
	copy(r, proof[:])
	return r
}

// FileTime returns t in 100 ns since 1601-01-01 UTC (MS-DTYP 2.3.3).
func FileTime(t time.Time) uint64 {
	const secondsTo1970 = 11_644_473_600
	return uint64(t.Unix()+secondsTo1970)*10_000_000 + uint64(t.Nanosecond()/100)
}
