// Package kdc is a KDC for tests: it knows one user and some services, wants
// pre-authentication, and gives tickets of one encryption type.
//
//	k, err := kdc.Start(kdc.Config{Realm: "LAB.TEST", Etype: 18, User: "alice", Password: "Secret.123", Services: []string{"exchangeAB/dc1.lab.test"}})
//	file := k.Krb5Conf()    // for clients
//	keys, err := k.Keytab() // for servers
//
// It judges what clients send: a pre-authentication by another key, a checksum
// that does not cover the request, or a ticket of another realm is refused.
package kdc
