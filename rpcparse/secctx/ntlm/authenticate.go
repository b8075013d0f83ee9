package ntlm

import (
	"encoding/binary"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// micSize is the size of the MIC of an AUTHENTICATE.
const micSize = 16

// Authenticate is the client's last message (MS-NLMP 2.2.1.3). Its names are
// claims until the server has accepted the proof in NTResponse. Its slices
// point into the token.
type Authenticate struct {
	Flags       Flags
	Domain      string // may be empty, a NetBIOS or a DNS name
	User        string // may be a user principal name, with an empty Domain
	Workstation string
	Anonymous   bool // claims no account: no name and no response (MS-NLMP 3.2.5.1.2)

	LMResponse []byte
	NTResponse []byte // 24 bytes: NTLMv1; more: see ParseNTLMv2Response
	SessionKey []byte // EncryptedRandomSessionKey
	MIC        []byte // 16 bytes, or nil where the client sends none
}

// Offsets in an AUTHENTICATE. Version and MIC may be absent.
const (
	authLMResponse  = 12
	authNTResponse  = 20
	authDomain      = 28
	authUser        = 36
	authWorkstation = 44
	authSessionKey  = 52
	authFlags       = 60
	authVersion     = 64
	authMIC         = 72
	authMin         = 52 // the session key and what is behind it may be absent
	authFixed       = 88
)

// ParseAuthenticate reads an AUTHENTICATE message. negotiated are the flags of the
// CHALLENGE that it answers, by which servers read its names whatever its own
// flags say (Samba's ntlmssp_server.c); 0 where they are not known. Servers judge
// by account and NT response and let the rest be wrong or missing, so that a
// workstation, LM response, session key or flags that cannot be read are only
// missing. A user name with characters that cannot be read is an error, because a
// server that knows the code page may find an account by it; a domain is none,
// because servers take one that they do not know for their own.
func ParseAuthenticate(token []byte, negotiated Flags) (Authenticate, error) {
	if err := check(token, TypeAuthenticate, authMin); err != nil {
		return Authenticate{}, err
	}
	a := Authenticate{}
	if len(token) >= authVersion {
		a.Flags = Flags(binary.LittleEndian.Uint32(token[authFlags:]))
	}
	if negotiated == 0 {
		negotiated = a.Flags
	}
	if err := a.parseNames(token, negotiated.Has(FlagUnicode)); err != nil {
		return Authenticate{}, err
	}
	var err error
	if a.NTResponse, err = field(token, authNTResponse, "ntlm_nt_response"); err != nil {
		return Authenticate{}, err
	}
	a.LMResponse, _ = field(token, authLMResponse, "ntlm_lm_response")
	if len(token) >= authFlags {
		a.SessionKey, _ = field(token, authSessionKey, "ntlm_session_key")
	}
	a.Anonymous = a.User == "" && len(a.NTResponse) == 0 && emptyLM(a.LMResponse)
	if a.announcesMIC() && len(token) >= authFixed {
		a.MIC = token[authMIC:authFixed:authFixed]
	}
	return a, nil
}

func (a *Authenticate) parseNames(token []byte, unicode bool) (err error) {
	if a.Domain, err = nameField(token, authDomain, unicode, "ntlm_domain"); err != nil {
		return err
	}
	b, err := field(token, authUser, "ntlm_user")
	if err != nil {
		return err
	}
	user, whole := decodeName(b, unicode)
	if !whole {
		return wire.Errorf(wire.ClassInvalid, "ntlm_user", authUser, "a name of characters that are not known")
	}
	a.User = user
	a.Workstation, _ = nameField(token, authWorkstation, unicode, "ntlm_workstation")
	return nil
}

// emptyLM recognises the LM response of an anonymous client: none, or Z(1).
func emptyLM(lm []byte) bool { return len(lm) == 0 || len(lm) == 1 && lm[0] == 0 }

// announcesMIC reports whether the client says, in its proven response, that
// it sent a MIC (MS-NLMP 2.2.2.1, MsvAvFlags).
func (a *Authenticate) announcesMIC() bool {
	r, ok := ParseNTLMv2Response(a.NTResponse)
	if !ok {
		return false
	}
	flags, _ := r.Pairs.Flags()
	return flags&avFlagMIC != 0
}

// AppendAuthenticate appends a. A MIC that is not nil is written as it is; 16
// zero bytes leave room for one.
func AppendAuthenticate(dst []byte, a Authenticate) ([]byte, error) {
	size := authVersion + versionSize
	if a.MIC != nil {
		size = authFixed
	}
	p := newPayload(TypeAuthenticate, size)
	binary.LittleEndian.PutUint32(p.fixed[authFlags:], uint32(a.Flags))
	putVersion(p.fixed[authVersion:], a.Flags)
	if a.MIC != nil {
		copy(p.fixed[authMIC:], a.MIC)
	}
	for _, f := range []struct {
		at   int
		name string
		b    []byte
	}{
		{authDomain, "ntlm_domain", encodeName(a.Domain, a.Flags)},
		{authUser, "ntlm_user", encodeName(a.User, a.Flags)},
		{authWorkstation, "ntlm_workstation", encodeName(a.Workstation, a.Flags)},
		{authLMResponse, "ntlm_lm_response", a.LMResponse},
		{authNTResponse, "ntlm_nt_response", a.NTResponse},
		{authSessionKey, "ntlm_session_key", a.SessionKey},
	} {
		if err := p.put(f.at, f.name, f.b); err != nil {
			return nil, err
		}
	}
	return p.append(dst), nil
}
