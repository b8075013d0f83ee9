// Package kerberos asks KDCs for a ticket (RFC 4120), with a password or a
// keytab, as package client needs one to authenticate to a service:
//
//	c := kerberos.Client{Config: conf, Realm: "CORP.EXAMPLE", Name: "monitor", Password: password}
//	ticket, err := c.Ticket(ctx, "exchangeAB/dc1.corp.example")
//
//	as.go        a ticket-granting ticket: AS-REQ, pre-authentication, AS-REP
//	tgs.go       the ticket for the service, by way of other realms if need be
//	key.go       the account's key: from the keytab, or from password and salt
//	exchange.go  one request to a KDC, by TCP
//	kdcs.go      where KDCs are
//
// A KDC is as hostile as any other server, and any machine in the path may speak
// in its place: replies are bounded before they are read, gokrb5 sees nothing
// that the guards of package krb5 have not passed, and what costs time, the
// iterations that derive a key, is bounded as well. Every wait ends with the
// context. Nothing is kept, no goroutine remains.
package kerberos
