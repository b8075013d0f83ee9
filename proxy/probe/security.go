package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/proxy/client/kerberos"
	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// login is a way to authenticate, with what has been read from files. Each bind
// makes a security context of its own from it.
type login struct {
	security *client.Security // nil: none
	kerberos *kerberos.Client // nil: no Kerberos; asks for the ticket in security
}

// context returns a security context that has not been used.
func (l login) context() *client.Security {
	if l.security == nil {
		return nil
	}
	s := *l.security
	return &s
}

var levels = map[Level]rpcparse.AuthLevel{
	LevelConnect:   rpcparse.LevelConnect,
	LevelPacket:    rpcparse.LevelPacket,
	LevelIntegrity: rpcparse.LevelIntegrity,
	LevelPrivacy:   rpcparse.LevelPrivacy,
}

// login reads the credentials of t, which has its defaults.
func (t Target) login() (l login, err error) {
	if !t.authenticated() {
		return l, nil
	}
	l.security = &client.Security{Level: levels[t.Level]}
	if !t.Raw {
		l.security.Type = rpcparse.AuthSPNEGO
	}
	if t.Auth == AuthKerberos {
		l.kerberos, err = t.kerberos()
		return l, err
	}
	l.security.Target = t.SPN
	if l.security.Domain, l.security.User, err = t.user(); err != nil {
		return l, err
	}
	l.security.Password, err = readPassword(t.PasswordFile)
	return l, err
}

// readPassword reads a private file whose content, but for a line's end, is a
// password.
func readPassword(file string) (string, error) {
	password, err := policy.ReadPassword(file)
	return string(password), err
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
