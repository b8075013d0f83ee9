package simdc

import (
	"errors"
	"slices"
	"time"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/ntlm"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/spnego"
)

// maxSecurity bounds the security contexts of one connection (MS-RPCE
// 3.3.1.5.2.1, <104>).
const maxSecurity = 2048

var errLeg = errors.New("simdc: unexpected leg of a handshake")

// security is a security context: who the client is, and how PDUs are
// protected. The read loop makes its handshake and verifies; answers are
// protected under conn.write.
type security struct {
	id        uint32
	authType  rpcparse.AuthType
	announced rpcparse.AuthLevel // as in every verifier of this context
	level     rpcparse.AuthLevel // what it amounts to: connect, integrity or privacy

	cfg       *Config
	acceptor  ntlm.Acceptor
	mechTypes []byte // of the client's negTokenInit: what a mechListMIC signs
	state     handshake
	user      *User         // nil: anonymous
	session   *ntlm.Session // nil for an anonymous client
}

// handshake is how far a security context is.
type handshake uint8

const (
	handshakeNew       handshake = iota
	handshakeMechanism           // SPNEGO: the mechanism is agreed, its first message is to come
	handshakeChallenged
	handshakeDone
	handshakeFailed
)

// newSecurity starts the handshake that v opens; nil for a type or level that
// is not known here.
func (c *conn) newSecurity(v rpcparse.Verifier) *security {
	switch v.Type {
	case rpcparse.AuthNTLM, rpcparse.AuthDefault, rpcparse.AuthSPNEGO:
	default:
		return nil
	}
	level := effective(v.Level)
	if level < rpcparse.LevelConnect || level > rpcparse.LevelPrivacy {
		return nil
	}
	cfg := &c.server.cfg
	return &security{
		id: v.ContextID, authType: v.Type, announced: v.Level, level: level, cfg: cfg,
		acceptor: ntlm.Acceptor{
			Lookup: cfg.hash, Domain: cfg.Domain, Computer: cfg.Computer,
			DNSDomain: cfg.DNSDomain, DNSComputer: cfg.Computer + "." + cfg.DNSDomain, Now: time.Now(),
		},
	}
}

// continued returns the security context that a leg in an alter_context
// belongs to: one that has begun, or a new one.
func (c *conn) continued(v rpcparse.Verifier) *security {
	if s := c.security[v.ContextID]; s != nil {
		if !s.matches(v) {
			return nil
		}
		return s
	}
	s := c.newSecurity(v)
	if s == nil || len(c.security) >= maxSecurity {
		return nil
	}
	c.security[s.id] = s
	return s
}

// matches reports whether v says of s what s began with.
func (s *security) matches(v rpcparse.Verifier) bool {
	return v.Type == s.authType && v.Level == s.announced
}

// effective returns the level that is done for the one that a client asks for.
func effective(l rpcparse.AuthLevel) rpcparse.AuthLevel {
	switch l {
	case rpcparse.LevelDefault:
		return rpcparse.LevelConnect
	case rpcparse.LevelCall, rpcparse.LevelPacket:
		return rpcparse.LevelIntegrity
	}
	return l
}

// verifier returns the verifier of an answer with token.
func (s *security) verifier(token []byte) *rpcparse.Verifier {
	return &rpcparse.Verifier{Type: s.authType, Level: s.announced, ContextID: s.id, Token: token}
}

// protects reports whether PDUs carry signatures.
func (s *security) protects() bool { return s.level > rpcparse.LevelConnect }

// leg takes one token from the client and returns the one that answers it. A
// failure is remembered for all requests to come; a finished handshake cannot
// be made again, and stays.
func (s *security) leg(token []byte) ([]byte, error) {
	var answer []byte
	var err error
	switch _, bare := ntlm.Type(token); {
	case bare:
		answer, err = s.message(token)
	case s.authType == rpcparse.AuthSPNEGO:
		answer, err = s.negotiated(token)
	default:
		err = errLeg
	}
	if err != nil && s.state != handshakeDone {
		s.state = handshakeFailed
	}
	return answer, err
}

// message takes one NTLM message.
func (s *security) message(token []byte) ([]byte, error) {
	switch t, _ := ntlm.Type(token); {
	case t == ntlm.TypeNegotiate && s.state <= handshakeMechanism:
		s.state = handshakeChallenged
		return s.acceptor.Challenge(token)
	case t == ntlm.TypeAuthenticate && s.state == handshakeChallenged:
		accepted, err := s.acceptor.Accept(token)
		if err != nil {
			return nil, err
		}
		if accepted.Session == nil && s.protects() {
			return nil, errors.New("simdc: an anonymous client cannot protect PDUs")
		}
		s.state, s.session = handshakeDone, accepted.Session
		if !accepted.Anonymous {
			s.user = s.cfg.find(accepted.Domain, accepted.User)
		}
		return nil, nil
	}
	return nil, errLeg
}

// negotiated takes one SPNEGO token.
func (s *security) negotiated(token []byte) ([]byte, error) {
	t, err := spnego.Parse(token)
	if err != nil {
		return nil, err
	}
	if t.Init {
		return s.negTokenInit(t)
	}
	inner, err := s.message(t.MechToken)
	if err != nil {
		return nil, err
	}
	answer := spnego.Token{HasState: true, State: spnego.StateAcceptIncomplete, MechToken: inner}
	if s.state == handshakeDone {
		answer.State = spnego.StateAcceptCompleted
		if t.ListMIC != nil && s.session != nil {
			if err := s.session.Receive.VerifyListMIC(s.mechTypes, t.ListMIC); err != nil {
				return nil, err
			}
			mic := s.session.Send.ListMIC(s.mechTypes)
			answer.ListMIC = mic[:]
		}
	}
	return spnego.AppendResp(nil, answer), nil
}

// negTokenInit agrees on NTLM. If the client prefers another mechanism, whose
// token it sent, NTLM's first message is still to come.
func (s *security) negTokenInit(t spnego.Token) ([]byte, error) {
	if s.state != handshakeNew || !slices.Contains(t.MechTypes, spnego.OIDNTLM) {
		return nil, errLeg
	}
	s.mechTypes = slices.Clone(t.MechTypeList)
	answer := spnego.Token{HasState: true, State: spnego.StateAcceptIncomplete, SupportedMech: spnego.OIDNTLM}
	if _, ok := ntlm.Type(t.MechToken); !ok || t.MechTypes[0] != spnego.OIDNTLM {
		s.state = handshakeMechanism
		answer.State = spnego.StateRequestMIC
		return spnego.AppendResp(nil, answer), nil
	}
	var err error
	answer.MechToken, err = s.message(t.MechToken)
	return spnego.AppendResp(nil, answer), err
}
