package kerberos_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/oiweiwei/gokrb5.fork/v9/config"
	"github.com/oiweiwei/gokrb5.fork/v9/keytab"

	"github.com/nspiproxy/nspiproxy/internal/testkit/kdc"
	"github.com/nspiproxy/nspiproxy/proxy/client/kerberos"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/krb5"
)

const (
	realm    = "LAB.TEST"
	password = "correct horse"
	service  = "exchangeAB/dc1.lab.test"
)

func start(t testing.TB, c kdc.Config) *kdc.KDC {
	t.Helper()
	if c.Realm == "" {
		c.Realm, c.User, c.Password = realm, "alice", password
	}
	k, err := kdc.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	return k
}

func alice(t testing.TB, krb5conf string) kerberos.Client {
	t.Helper()
	conf, err := config.NewFromString(krb5conf)
	if err != nil {
		t.Fatal(err)
	}
	return kerberos.Client{Config: conf, Realm: realm, Name: "alice", Password: password}
}

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// checkTicket lets the service open what the client makes of the ticket.
func checkTicket(t testing.TB, ticket *krb5.Ticket, k *kdc.KDC) {
	t.Helper()
	keys, err := k.Keytab()
	if err != nil {
		t.Fatal(err)
	}
	c := krb5.Client{Ticket: ticket}
	request, err := c.Request()
	if err != nil {
		t.Fatal(err)
	}
	if in, outcome := krb5.OpenAPReq(request, keys.Service("")); in == nil || in.Client != "alice@LAB.TEST" {
		t.Errorf("%v: %v", outcome, in)
	}
}

func TestTicketIsGoodForTheServiceInEveryEncryptionType(t *testing.T) {
	for _, etype := range []int32{17, 18, 19, 20, 23} {
		for _, c := range []kdc.Config{{}, {Salt: "a salt of its own"}, {Iterations: 5000}} {
			if etype == 23 && c.Iterations != 0 {
				continue // RC4 has none
			}
			c.Etype, c.Services = etype, []string{service}
			k := start(t, c)
			client := alice(t, k.Krb5Conf())
			ticket, err := client.Ticket(testContext(t), service)
			if err != nil {
				t.Errorf("%+v: %v", c, err)
				continue
			}
			checkTicket(t, ticket, k)
		}
	}
}

func TestKeytabTakesThePlaceOfAPassword(t *testing.T) {
	for _, etype := range []int32{17, 18, 19, 20, 23} {
		k := start(t, kdc.Config{Etype: etype, Services: []string{service}})
		client := alice(t, k.Krb5Conf())
		client.Password, client.Keytab = "", keytab.New()
		if _, err := client.Ticket(testContext(t), service); err == nil {
			t.Error("a ticket for an empty keytab")
		}
		if err := client.Keytab.AddEntry("alice", realm, password, time.Now(), 7, etype); err != nil {
			t.Fatal(err)
		}
		ticket, err := client.Ticket(testContext(t), service)
		if err != nil {
			t.Fatalf("%d: %v", etype, err)
		}
		checkTicket(t, ticket, k)
	}
}

func TestServicesOfOtherRealmsAreReachedByReferral(t *testing.T) {
	const other, remote = "OTHER.TEST", "exchangeAB/dc1.other.test"
	far := start(t, kdc.Config{Realm: other, Etype: 18, Services: []string{remote}, Trusts: []string{realm}})
	near := start(t, kdc.Config{Etype: 18, Referrals: map[string]string{remote: other}})
	client := alice(t, near.Krb5Conf(far))
	ticket, err := client.Ticket(testContext(t), remote)
	if err != nil {
		t.Fatal(err)
	}
	checkTicket(t, ticket, far)

	client = alice(t, near.Krb5Conf(far)+"[domain_realm]\n\t.other.test = "+other+"\n")
	if ticket, err = client.Ticket(testContext(t), remote); err != nil {
		t.Fatal(err)
	}
	checkTicket(t, ticket, far)
}

func TestReferralsInACircleEnd(t *testing.T) {
	k := start(t, kdc.Config{Etype: 18, Referrals: map[string]string{service: realm}})
	client := alice(t, k.Krb5Conf())
	if _, err := client.Ticket(testContext(t), service); err == nil || !strings.Contains(err.Error(), "referrals") {
		t.Error(err)
	}
}

func TestRefusalsOfTheKDCAreNamed(t *testing.T) {
	k := start(t, kdc.Config{Etype: 18, Services: []string{service}})
	for want, change := range map[string]func(*kerberos.Client) string{
		"KDC_ERR_PREAUTH_FAILED":      func(c *kerberos.Client) string { c.Password = "wrong"; return service },
		"KDC_ERR_C_PRINCIPAL_UNKNOWN": func(c *kerberos.Client) string { c.Name = "bob"; return service },
		"KDC_ERR_S_PRINCIPAL_UNKNOWN": func(*kerberos.Client) string { return "exchangeMDB/dc1.lab.test" },
	} {
		client := alice(t, k.Krb5Conf())
		name := change(&client)
		_, err := client.Ticket(testContext(t), name)
		var refused *krb5.KRBError
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
		if err != nil && strings.Contains(err.Error(), password) {
			t.Error("the password is in the error")
		}
	}
}

// A machine in the path can announce iterations without knowing any key: many to
// cost the client time, few to guess its password sooner.
func TestKeysThatCostTooMuchOrTooLittleAreNotMade(t *testing.T) {
	for _, n := range []uint32{1, 4095, 1<<17 + 1, 1<<32 - 1} {
		k := start(t, kdc.Config{Etype: 23, Iterations: n, Services: []string{service}})
		client := alice(t, k.Krb5Conf())
		if _, err := client.Ticket(testContext(t), service); err == nil || !strings.Contains(err.Error(), fmt.Sprint(n, " iterations")) {
			t.Error(err)
		}
	}
}

func TestEncryptionTypesAreThoseOfTheConfiguration(t *testing.T) {
	k := start(t, kdc.Config{Etype: 17, Services: []string{service}})
	for conf, good := range map[string]bool{
		"default_tkt_enctypes = aes128-cts-hmac-sha1-96": true,
		"default_tkt_enctypes = des3-cbc-sha1":           false,
	} {
		client := alice(t, strings.Replace(k.Krb5Conf(), "[realms]", "\t"+conf+"\n[realms]", 1))
		if _, err := client.Ticket(testContext(t), service); (err == nil) != good {
			t.Errorf("%s: %v", conf, err)
		}
	}
}
