package directory

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-ldap/ldap/v3/gssapi"
	"github.com/jcmturner/gokrb5/v8/client"
	krb5config "github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/keytab"
)

// bindKerberos binds with the key of BindDN (RFC 4752). There is no security
// layer: TLS is one already. The library panics on some malformed messages,
// which may come from the network: that is an error like any other.
func (l *link) bindKerberos(secret []byte) (err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("a malformed Kerberos message or keytab")
		}
	}()
	user, realm, ok := strings.Cut(l.config.BindDN, "@")
	if !ok {
		return errors.New("a bind with Kerberos needs user@REALM")
	}
	settings, err := krb5config.NewFromString(l.config.Kerberos.Config)
	if err != nil {
		return fmt.Errorf("krb5.conf: %w", err)
	}
	keys := keytab.New()
	if err := keys.Unmarshal(secret); err != nil {
		return errors.New("the keytab cannot be read") // the library's error may repeat parts of it
	}
	// Active Directory refuses an AS-REQ with the empty PA-REQ-ENC-PA-REP.
	c := &gssapi.Client{Client: client.NewWithKeytab(user, realm, keys, settings, client.DisablePAFXFAST(true))}
	defer c.Destroy()
	return l.ldap.GSSAPIBind(c, "ldap/"+l.server.host, "")
}
