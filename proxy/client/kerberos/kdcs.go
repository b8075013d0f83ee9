package kerberos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/oiweiwei/gokrb5.fork/v9/config"
)

// maxKDCs is how many KDCs of a realm are tried.
const maxKDCs = 8

// kdcPort is where KDCs listen (RFC 4120 7.2.3).
const kdcPort = "88"

// kdcs returns the addresses of the KDCs of a realm, in the order in which they
// are to be tried: those of krb5.conf in any order, else those in DNS; but first
// the one that answered last, as another may be down and cost its time-out.
func (c *Client) kdcs(ctx context.Context, realm string) ([]string, error) {
	list := configured(c.Config, realm)
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	for i, addr := range list {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			list[i] = net.JoinHostPort(strings.Trim(addr, "[]"), kdcPort)
		}
	}
	if len(list) == 0 {
		var err error
		if list, err = c.inDNS(ctx, realm); err != nil {
			return nil, err
		}
	}
	if i := slices.Index(list, c.answered); i > 0 {
		list[0], list[i] = list[i], list[0]
	}
	return list[:min(len(list), maxKDCs)], nil
}

// configured returns the KDCs that krb5.conf has for a realm.
func configured(conf *config.Config, realm string) (list []string) {
	for _, r := range conf.Realms {
		if r.Realm == realm {
			list = slices.Clone(r.KDC)
		}
	}
	return list
}

// FindsKDC returns an error if krb5.conf neither has a KDC of a realm nor allows to look for
// one in DNS.
func FindsKDC(conf *config.Config, realm string) error {
	if len(configured(conf, realm)) == 0 && !conf.LibDefaults.DNSLookupKDC {
		return fmt.Errorf("krb5.conf has no KDC of realm %s, and does not allow to look in DNS (dns_lookup_kdc = true)", realm)
	}
	return nil
}

// inDNS asks DNS (RFC 4120 7.2.3.2).
func (c *Client) inDNS(ctx context.Context, realm string) (list []string, err error) {
	if err := FindsKDC(c.Config, realm); err != nil {
		return nil, err
	}
	_, found, err := net.DefaultResolver.LookupSRV(ctx, "kerberos", "tcp", realm)
	if err != nil {
		return nil, err
	}
	for _, s := range found {
		list = append(list, net.JoinHostPort(strings.TrimSuffix(s.Target, "."), strconv.Itoa(int(s.Port))))
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("DNS has no KDC of realm %s", realm)
	}
	return list, nil
}
