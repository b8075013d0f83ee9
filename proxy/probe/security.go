package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/oiweiwei/go-msrpc/dcerpc"
	"github.com/oiweiwei/go-msrpc/ssp"
	"github.com/oiweiwei/go-msrpc/ssp/credential"

	"github.com/nspiproxy/nspiproxy/policy"
)

// security is a way to authenticate in go-msrpc's words. Each bind makes a
// context of its own from it.
type security struct {
	level   dcerpc.AuthLevel
	options []dcerpc.Option
}

// protects reports whether answers carry signatures.
func (s security) protects() bool { return s.level > dcerpc.AuthLevelConnect }

// unprotected is no security at all.
func unprotected() security {
	return security{dcerpc.AuthLevelNone, []dcerpc.Option{dcerpc.WithInsecure()}}
}

var levels = map[Level]dcerpc.AuthLevel{
	LevelConnect:   dcerpc.AuthLevelConnect,
	LevelPacket:    dcerpc.AuthLevelPkt,
	LevelIntegrity: dcerpc.AuthLevelPktIntegrity,
	LevelPrivacy:   dcerpc.AuthLevelPktPrivacy,
}

// security reads the credentials of t, which has its defaults.
func (t Target) security(ctx context.Context) (security, error) {
	if !t.authenticated() {
		return unprotected(), nil
	}
	s := security{level: levels[t.Level]}
	provider := dcerpc.AuthTypeWinNT
	if t.Auth == AuthNTLM {
		domain, name, err := t.user()
		if err != nil {
			return s, err
		}
		password, err := readPassword(t.PasswordFile)
		if err != nil {
			return s, err
		}
		s.options = append(s.options, dcerpc.WithMechanism(ssp.NTLM),
			dcerpc.WithCredentials(credential.NewFromPassword(name, password, credential.Domain(domain))))
	} else {
		config, credentials, err := t.kerberos(ctx)
		if err != nil {
			return s, err
		}
		s.options = append(s.options, dcerpc.WithMechanism(ssp.KRB5, config), dcerpc.WithCredentials(credentials))
		provider = dcerpc.AuthTypeKerberos
	}
	if !t.Raw {
		s.options = append(s.options, dcerpc.WithMechanism(ssp.SPNEGO))
		provider = dcerpc.AuthTypeGSSNegotiate
	}
	s.options = append(s.options, dcerpc.WithSecurtyProvider(provider), dcerpc.WithSecurityLevel(s.level))
	if t.SPN != "" {
		s.options = append(s.options, dcerpc.WithTargetName(t.SPN))
	}
	return s, nil
}

// readPassword reads a private file whose content, but for a line's end, is a
// password.
func readPassword(file string) (string, error) {
	data, err := policy.ReadPrivate(file)
	if err != nil {
		return "", err
	}
	password := strings.TrimRight(string(bytes.TrimPrefix(data, []byte("\ufeff"))), "\r\n") // Windows editors begin with the mark
	if password == "" {
		return "", fmt.Errorf("%s is empty", file)
	}
	return password, nil
}

// resolveSPN gives t the SPN of the name that DNS has for its address, as
// Kerberos clients do by default. The ticket is for that server alone, so a
// wrong name leads to a failure and no further.
func (t *Target) resolveSPN(ctx context.Context) error {
	if t.Auth != AuthKerberos || t.SPN != "" {
		return nil
	}
	names, err := net.DefaultResolver.LookupAddr(ctx, t.Address)
	if err == nil && len(names) == 0 {
		err = errors.New("no name")
	}
	if err != nil {
		return fmt.Errorf("kerberos needs the server's name, and DNS has none for %s: %w", t.Address, err)
	}
	t.SPN = ServiceClass + strings.TrimSuffix(names[0], ".")
	return nil
}
