package client

import (
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/krb5"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/ntlm"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/spnego"
)

// mechanism is the client's end of NTLM or Kerberos. Both have two messages of
// the client, and one of the server in between.
type mechanism interface {
	oid() spnego.OID
	first() ([]byte, error)
	// last answers the server. Without protection, as in an anonymous context,
	// send and receive are nil.
	last(answer []byte) (token []byte, send, receive protector, err error)
}

// mechanism returns the one that s asks for, and what it is called without
// SPNEGO.
func (s *Security) mechanism() (mechanism, rpcparse.AuthType) {
	if s.Ticket != nil {
		return &kerberosMechanism{krb5.Client{Ticket: s.Ticket, Flags: s.flags()}}, rpcparse.AuthKerberos
	}
	m := &ntlmMechanism{protects: s.protects(), initiator: ntlm.Initiator{
		Domain: s.Domain, User: s.User, Password: s.Password, Workstation: "CLIENT", Target: s.Target, NoMIC: s.NoMIC,
	}}
	if !s.protects() {
		m.initiator.Without = signing
	}
	return m, rpcparse.AuthNTLM
}

// flags are the GSS flags of the level.
func (s *Security) flags() uint32 {
	switch {
	case s.Level == rpcparse.LevelPrivacy:
		return krb5.FlagIntegrity | krb5.FlagConfidentiality
	case s.protects():
		return krb5.FlagIntegrity
	}
	return 0
}

// signing is what NTLM must not ask for at level connect: a Samba server then
// wants signatures, and fails calls that have none.
const signing = ntlm.FlagSign | ntlm.FlagSeal | ntlm.FlagAlwaysSign | ntlm.FlagKeyExchange

type ntlmMechanism struct {
	initiator ntlm.Initiator
	protects  bool // the level asks for signatures
}

func (*ntlmMechanism) oid() spnego.OID { return spnego.OIDNTLM }

func (m *ntlmMechanism) first() ([]byte, error) { return m.initiator.Negotiate() }

func (m *ntlmMechanism) last(challenge []byte) (token []byte, send, receive protector, err error) {
	if c, err := ntlm.ParseChallenge(challenge); err == nil && m.protects && !c.Flags.Has(ntlm.Flag128) {
		return nil, nil, nil, protocolf("a server of NTLM that takes no keys of 128 bits") // or somebody in the path
	}
	token, err = m.initiator.Authenticate(challenge)
	if err != nil || m.initiator.User == "" {
		return token, nil, nil, err
	}
	session, err := m.initiator.Session()
	if err != nil {
		return nil, nil, nil, err
	}
	return token, ntlmProtector{session.Send}, ntlmProtector{session.Receive}, nil
}

// ntlmProtector is an NTLM stream. With extended session security it always
// signs headers.
type ntlmProtector struct{ *ntlm.Stream }

func (ntlmProtector) tokenSize(bool) int    { return ntlm.TokenSize }
func (ntlmProtector) setHeaderSigning(bool) {}

func (p ntlmProtector) listMIC(mechTypes []byte) ([]byte, error) {
	mic := p.ListMIC(mechTypes)
	return mic[:], nil
}

func (p ntlmProtector) verifyListMIC(mechTypes, mic []byte) error {
	return p.VerifyListMIC(mechTypes, mic)
}

type kerberosMechanism struct{ client krb5.Client }

func (*kerberosMechanism) oid() spnego.OID { return spnego.OIDKerberos }

func (m *kerberosMechanism) first() ([]byte, error) { return m.client.Request() }

func (m *kerberosMechanism) last(reply []byte) (token []byte, send, receive protector, err error) {
	token, established, err := m.client.Reply(reply)
	if err != nil {
		return nil, nil, nil, err
	}
	defer established.Wipe()
	client, server, err := established.Streams()
	if err != nil {
		return nil, nil, nil, err
	}
	return token, kerberosProtector{client}, kerberosProtector{server}, nil
}

// kerberosProtector is a Kerberos stream.
type kerberosProtector struct{ *krb5.Stream }

func (p kerberosProtector) tokenSize(seal bool) int  { return p.TokenSize(seal) }
func (p kerberosProtector) setHeaderSigning(on bool) { p.SetHeaderSigning(on) }

func (p kerberosProtector) listMIC(mechTypes []byte) ([]byte, error) {
	mic := make([]byte, p.TokenSize(false))
	return mic, p.MIC(mechTypes, mic)
}

func (p kerberosProtector) verifyListMIC(mechTypes, mic []byte) error {
	return p.VerifyMIC(mechTypes, mic)
}
