package kerberos

import (
	"context"
	"slices"
	"strings"

	"github.com/oiweiwei/gokrb5.fork/v9/config"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/nametype"
	"github.com/oiweiwei/gokrb5.fork/v9/keytab"
	"github.com/oiweiwei/gokrb5.fork/v9/types"

	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/krb5"
)

// Client is an account that asks for tickets. It belongs to one goroutine.
type Client struct {
	Config      *config.Config // krb5.conf; it is not changed
	Realm, Name string         // of the account

	Password string
	Keytab   *keytab.Keytab // instead of a password

	answered string // address of the KDC that answered last
}

// Ticket returns a ticket for a service, asked for anew. An error of the KDC is
// a [krb5.KRBError].
func (c *Client) Ticket(ctx context.Context, service string) (*krb5.Ticket, error) {
	tgt, err := c.login(ctx)
	if err != nil {
		return nil, err
	}
	name := types.NewPrincipalName(nametype.KRB_NT_SRV_INST, service)
	return c.service(ctx, tgt, name)
}

func (c *Client) principal() types.PrincipalName {
	return types.NewPrincipalName(nametype.KRB_NT_PRINCIPAL, c.Name)
}

// ticketTypes are the encryption types that krb5.conf allows in the first
// exchange, those that the keytab has a key of before the others: the KDC takes
// the first that the account has.
func (c *Client) ticketTypes() []int32 {
	defaults := config.New().LibDefaults.DefaultTktEnctypes
	list := allowed(c.Config.LibDefaults.DefaultTktEnctypes, defaults, c.Config.LibDefaults.DefaultTktEnctypeIDs)
	if c.Keytab == nil {
		return list
	}
	slices.SortStableFunc(list, func(a, b int32) int { return c.lacks(a) - c.lacks(b) })
	return list
}

// lacks is 1 if the keytab has no key of this type, else 0.
func (c *Client) lacks(etype int32) int {
	if _, _, err := c.Keytab.GetEncryptionKey(c.principal(), c.Realm, 0, etype); err != nil {
		return 1
	}
	return 0
}

// serviceTypes are those that it allows in the second.
func (c *Client) serviceTypes() []int32 {
	defaults := config.New().LibDefaults.DefaultTGSEnctypes
	return allowed(c.Config.LibDefaults.DefaultTGSEnctypes, defaults, c.Config.LibDefaults.DefaultTGSEnctypeIDs)
}

// allowed returns the types that have tokens in DCE/RPC, or those among them that
// krb5.conf lists, in its order. The library's own list does not have SHA-2.
func allowed(names, defaults []string, ids []int32) []int32 {
	if slices.Equal(names, defaults) {
		return krb5.Types()
	}
	return slices.DeleteFunc(slices.Clone(ids), func(id int32) bool { return !slices.Contains(krb5.Types(), id) })
}

// realmOf is the realm that krb5.conf has for the host of a service; "": none.
func (c *Client) realmOf(service types.PrincipalName) string {
	if len(service.NameString) < 2 {
		return ""
	}
	return c.Config.ResolveRealm(strings.ToLower(service.NameString[1]))
}
