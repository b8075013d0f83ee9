package ntlm

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"io"
	"time"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// serverFlags is what an Acceptor agrees to.
const serverFlags = FlagUnicode | FlagOEM | FlagRequestTarget | FlagSign | FlagSeal | FlagNTLM | FlagAlwaysSign |
	FlagExtendedSessionSecurity | FlagVersion | Flag128 | FlagKeyExchange | Flag56

// Acceptor is the server's end of one handshake. Set its fields, then call
// Challenge and Accept in this order.
type Acceptor struct {
	// Lookup returns the NT hash of the account that a client claims, under the
	// names as the client wrote them.
	Lookup func(domain, user string) (Hash, bool)

	Domain, Computer       string    // NetBIOS names of the server
	DNSDomain, DNSComputer string    // its DNS names
	Now                    time.Time // zero: no timestamp, so that clients send no MIC
	Rand                   io.Reader // nil: crypto/rand

	negotiate, challenge []byte
	nonce                [ChallengeSize]byte
	agreed               Flags
}

// Accepted is the outcome of a handshake.
type Accepted struct {
	Authenticate
	Key     Key
	Session *Session // the server's view; nil for an anonymous client
}

// Challenge answers the client's first message.
func (s *Acceptor) Challenge(negotiate []byte) ([]byte, error) {
	n, err := ParseNegotiate(negotiate)
	if err != nil {
		return nil, err
	}
	random := s.Rand
	if random == nil {
		random = rand.Reader
	}
	if _, err := io.ReadFull(random, s.nonce[:]); err != nil {
		return nil, err
	}
	c := Challenge{
		Flags:           n.Flags&serverFlags | FlagTargetTypeDomain | FlagTargetInfo,
		ServerChallenge: s.nonce,
		TargetName:      s.Domain,
		TargetInfo:      s.targetInfo(),
	}
	s.negotiate = append([]byte(nil), negotiate...)
	s.agreed = c.Flags
	s.challenge, err = AppendChallenge(nil, c)
	return s.challenge, err
}

func (s *Acceptor) targetInfo() AVPairs {
	var out []byte
	for _, p := range []struct {
		id   AVID
		text string
	}{
		{AVNbDomainName, s.Domain},
		{AVNbComputerName, s.Computer},
		{AVDNSDomainName, s.DNSDomain},
		{AVDNSComputerName, s.DNSComputer},
	} {
		if p.text != "" {
			out = AppendAVPair(out, p.id, AppendUTF16(nil, p.text))
		}
	}
	if !s.Now.IsZero() {
		out = AppendAVPair(out, AVTimestamp, binary.LittleEndian.AppendUint64(nil, FileTime(s.Now)))
	}
	return AppendAVPair(out, AVEOL, nil)
}

// Accept verifies the client's last message. Class auth says that the client
// did not prove who it claims to be, or that the handshake was tampered with.
func (s *Acceptor) Accept(authenticate []byte) (Accepted, error) {
	a, err := ParseAuthenticate(authenticate, s.agreed)
	if err != nil {
		return Accepted{}, err
	}
	if a.Anonymous {
		return Accepted{Authenticate: a}, nil
	}
	nt, known := s.Lookup(a.Domain, a.User)
	key, err := a.Key(nt, s.nonce)
	if err != nil {
		return Accepted{}, err
	}
	if !known {
		return Accepted{}, wire.Errorf(wire.ClassAuth, "ntlm_account", authUser, "no such account")
	}
	if a.announcesMIC() {
		want := HandshakeMIC(key, s.negotiate, s.challenge, authenticate)
		if subtle.ConstantTimeCompare(want[:], a.MIC) != 1 {
			return Accepted{}, wire.Errorf(wire.ClassAuth, "ntlm_mic", authMIC, "the MIC does not match the handshake")
		}
	}
	session, err := NewSession(key, a.Flags, FromServer)
	if err != nil {
		return Accepted{}, err
	}
	return Accepted{Authenticate: a, Key: key, Session: session}, nil
}
