package directory

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/oiweiwei/gokrb5.fork/v9/client"
	krb5config "github.com/oiweiwei/gokrb5.fork/v9/config"
	"github.com/oiweiwei/gokrb5.fork/v9/keytab"
)

// tcpOnly is the value of udp_preference_limit (krb5.conf) that asks KDCs by TCP
// alone: kdcConn bounds what comes that way.
const tcpOnly = 1

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
	settings, err := krb5config.NewFromString(l.config.Kerberos.Config)
	if err != nil {
		return fmt.Errorf("krb5.conf: %w", err)
	}
	settings.LibDefaults.UDPPreferenceLimit = tcpOnly
	keys := keytab.New()
	if err := keys.Unmarshal(secret); err != nil {
		return errors.New("the keytab cannot be read") // the library's error may repeat parts of it
	}
	// Active Directory refuses an AS-REQ with the empty PA-REQ-ENC-PA-REP.
	c := client.NewWithKeytab(user, realm, keys, settings, client.DisablePAFXFAST(true), client.Dialer(kdcDialer{ctx}))
	defer c.Destroy()
	return l.bindGSSAPI(&initiator{realm: realm, name: c.Credentials.CName(), ticket: c.GetServiceTicket})
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
