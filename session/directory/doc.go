// Package directory turns the account names that clients give into SIDs: it
// asks Active Directory over LDAP, and remembers the answers.
//
//	d, err := directory.New(directory.Config{
//		URL: "ldaps://dc1.lab.example", RootCAs: pool,
//		BindDN: "svc-nspiproxy@lab.example", Secret: readPassword,
//	})
//	result, err := d.Lookup(ctx, `LAB\alice`)      // S-1-5-21-…-1105, its groups, LAB\alice
//	result, found, ok := d.Cached(`alice@lab.example`) // never waits
//	d.Resolve(`lab.example\ALICE`, func(r directory.Result, err error) { … })
//
// One account has many spellings, and each that the directory knows leads to the
// same SID. A name leads to a SID only if exactly one account has it: everything
// else is [ErrNotFound], [ErrAmbiguous] or [ErrDown], never a guess.
//
// # How a name is looked up
//
//	DOMAIN\user    DOMAIN is compared with the NetBIOS and DNS names of the forest's domains (crossRef);
//	               the account with that sAMAccountName in the domain's naming context
//	user@suffix    the account with that userPrincipalName; else, if suffix is a domain, as suffix\user
//	user, \user    as user in the domain of the server that is asked
//
// Then tokenGroups of the entry found gives its groups, nested ones included.
// An ordinary LDAP port knows the server's own domain; the global catalog (3268,
// 3269) knows the forest.
//
// # How a look-up waits
//
//	Resolve ──▶ cache ──▶ flight (one per name) ──▶ queue ──▶ worker ──▶ link (its own LDAP connection)
//
// Resolve and Cached never wait. An answer that is older than [Config.PositiveTTL] is used
// while another one is asked for. A flight ends after [Config.Timeout] at the
// latest, time in the queue included, whatever the network does; its callers get
// ErrDown. Workers connect when there is something to ask, and again when the
// server has closed the connection, as servers do with idle ones. After a
// connection that failed, or a look-up without an answer in time, the breaker
// answers ErrDown at once, until a connection that is tried in the background
// is made: after a second, then two, up to a minute. So a directory that is down
// costs one user a time-out, and a wrong password does not lock the account.
//
// # What is bounded
//
// The server and the KDCs may be hostile or broken. An LDAP message has 128 KiB
// at most, all answers to a look-up together 2 MiB, a token of the bind 16 KiB; a
// panic of the Kerberos library is an error; and everything ends after
// Config.Timeout. KDCs are asked by package client/kerberos, which bounds their
// replies.
//
// # Where to change what
//
//	name.go      spellings
//	query.go     what is asked for a name; entry.go reading what was found
//	domains.go   the domains of the forest
//	link.go      connecting: TLS, bind; meter.go how much a server may send
//	kerberos.go  the bind with a keytab; gssapi.go and sasl.go its steps
//	flight.go    waiting; worker.go asking; breaker.go not asking
//	cache.go     remembering
package directory
