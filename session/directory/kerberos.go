package directory

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/oiweiwei/gokrb5.fork/v9/iana/nametype"
	"github.com/oiweiwei/gokrb5.fork/v9/keytab"
	"github.com/oiweiwei/gokrb5.fork/v9/messages"
	"github.com/oiweiwei/gokrb5.fork/v9/types"

	"github.com/nspiproxy/nspiproxy/proxy/client/kerberos"
)

// errMalformed is the error for a panic of the Kerberos library, whose value is not
// shown: it may quote a key.
var errMalformed = errors.New("a malformed Kerberos message or keytab")

// recovered is deferred around calls of the Kerberos library. It panics on some
// malformed messages, which may come from the network: that is an error like any
// other.
func recovered(err *error) {
	if recover() != nil {
		*err = errMalformed
	}
}

// bindKerberos binds with the key of BindDN (SASL GSSAPI, RFC 4752).
func (l *link) bindKerberos(ctx context.Context, secret []byte) (err error) {
	defer recovered(&err)
	user, realm, ok := strings.Cut(l.config.BindDN, "@")
	if !ok {
		return errors.New("a bind with Kerberos needs user@REALM")
	}
	conf, err := kerberos.ParseConfig(l.config.Kerberos.Config)
	if err != nil {
		return fmt.Errorf("krb5.conf: %w", err)
	}
	keys := keytab.New()
	if err := keys.Unmarshal(secret); err != nil {
		return errors.New("the keytab cannot be read") // the library's error may repeat parts of it
	}
	// The library's own client renews tickets in goroutines, where its panics could
	// not be recovered from.
	c := kerberos.Client{Config: conf, Realm: realm, Name: user, Keytab: keys}
	return l.bindGSSAPI(&initiator{
		realm: realm, name: types.NewPrincipalName(nametype.KRB_NT_PRINCIPAL, user),
		ticket: func(spn string) (messages.Ticket, types.EncryptionKey, error) {
			t, err := c.Ticket(ctx, spn)
			if err != nil {
				return messages.Ticket{}, types.EncryptionKey{}, err
			}
			return t.Ticket, types.EncryptionKey{KeyType: t.Session.Etype, KeyValue: t.Session.Value}, nil
		},
	})
}

// bindGSSAPI binds as the client of g.
func (l *link) bindGSSAPI(g *initiator) error {
	if err := l.ldap.GSSAPIBind(g, "ldap/"+l.server.host, ""); err != nil {
		return err
	}
	if g.stage != stageNegotiated {
		return errors.New("the server ended the bind before the security layer was chosen")
	}
	return nil
}
