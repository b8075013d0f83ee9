// Package backend is the domain controllers behind the proxy: which there are,
// how they are, where NSPI listens on them, and which one a new association
// goes to.
//
//	set := backend.New(backend.Options{Backends: …, Prober: …, OnPorts: …, OnSilent: …, OnEvent: …})
//	go set.Run(ctx)
//
//	dc := set.Pick(set.Members("site"), load, nil)  // a new association, forward mode
//	dc := set.At(conn.Local().Addr())               // transparent mode; set.Watch(dc) when it shows NSPI
//	dc.DialOK(port), dc.DialFailed(port, timeout)   // what became of a connection to it
//
// A domain controller ([DC]) comes from one of three places: the configuration,
// DNS SRV records that the configuration names, or a client's connection to an
// address that is neither (discovered). The first two are looked after as long
// as they are named, the third after [Set.Watch].
//
// # Looking after one
//
//	monitor.go   one goroutine: active checks, connects in doubt ──▶ health.go decides the state
//	watch.go     one goroutine: asks the endpoint mapper where NSPI is, twice a second
//
// Neither waits for another domain controller, except for one of the places of
// active checks. The state is about NSPI: what counts is connections to its
// ports, and to the endpoint mapper only while no port is known.
//
//	state          on                                                   next
//	serving        fall failed connects in a row                        unreachable
//	               fall active checks in a row that NSPI fails          not serving
//	not serving    fall failed connects in a row                        unreachable
//	               rise good active checks in a row                     serving
//	unreachable    rise successful connects in a row                    serving, or not serving
//	                                                                    if the last active check since says so
//
// Connects are those for clients and those of checks. One that fails, a broken
// connection to the endpoint mapper, or an answer of it that takes long, puts the
// domain controller in doubt: it is connected to every second, or every interval
// where that is shorter, until that succeeds, and so it is while unreachable. A
// refusal by the session limit, or of an anonymous client, is a good check.
//
// A discovered domain controller that is not watched, and one that DNS no longer
// names, always counts as serving: nobody would find out that it is back.
//
// # What is no evidence
//
// An endpoint mapper that does not answer takes nothing away: the ports it told
// are kept, and the state is not its affair once they are known. That a host is
// dead ([Options.OnSilent]) takes more than a state: as many attempts in a row as
// make a domain controller unreachable, none of which was accepted or refused, on
// any of its ports, the endpoint mapper's among them.
//
// # Where to change what
//
//	options.go   what the caller gives; limits.go what bounds it
//	dc.go        a domain controller; verdict.go what changes its state; event.go what is told of it
//	reach.go     connecting to see whether it is there; outcome.go what an error means
//	set.go       all of them, and the goroutines; members.go who belongs where; discover.go addresses
//	srv.go       following a name in DNS; lookup.go, query.go, answers.go asking; hostname.go what is accepted
//	pick.go      the choice
//	probeepm.go  an active check that needs no NSPI client
package backend
