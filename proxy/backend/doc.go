// Package backend knows the domain controllers behind the proxy: which there are,
// whether they serve, where NSPI listens on them, and which one a new association
// goes to.
//
//	set := backend.New(backend.Options{Backends: …, Prober: …, OnPorts: …, OnSilent: …, OnEvent: …})
//	go set.Run(ctx)
//
//	dc := set.Pick(set.Members("site"), load, nil)  // a new association, forward mode
//	dc := set.At(conn.Local().Addr())               // transparent mode; set.Watch(dc) when it shows NSPI
//	dc.DialOK(port), dc.DialFailed(port, timeout)   // the outcome of a connection to it
//
// A domain controller ([DC]) comes from one of three places: the configuration,
// DNS SRV records that the configuration names, or a client's connection to an
// address that is neither (discovered). The first two are monitored as long as
// they are named, the third after [Set.Watch].
//
// # Monitoring one
//
//	monitor.go   one goroutine: active checks, and connects while it is degraded  ──▶ observations
//	watch.go     one goroutine: asks the endpoint mapper where NSPI is, and       ──▶ observations
//	             the other interfaces of its process (process.go)
//	record.go    what connections for clients have shown                          ──▶ observations
//	reducer.go   health + observation = health + effects; pure
//	dc.go        the latest health, published: loops read it without a lock
//
// Neither goroutine waits for another domain controller, except for one of the
// places of active checks. The state is about NSPI: connections to its ports
// count, and connections to the endpoint mapper only while no port is known.
//
//	state          on                                                   next
//	serving        fall failed connects in a row                        unreachable
//	               fall active checks in a row that NSPI fails          not serving
//	not serving    fall failed connects in a row                        unreachable
//	               rise good active checks in a row                     serving
//	unreachable    rise successful connects in a row                    serving, or not serving
//	                                                                    if the last active check since says so
//	               a good active check                                  unreachable; back as serving
//	               one that NSPI fails                                  unreachable; back as not serving
//	any            monitoring begins or ends                            serving
//
// Connects are those for clients and those of checks. A connect that fails, a
// broken connection to the endpoint mapper, or an answer of it that takes long,
// makes a check due: connects every second, or every interval where that is
// shorter, until one succeeds. The same is done while it is unreachable. A refusal
// by the session limit, or of an anonymous client, is a good active check.
//
// A domain controller that is not monitored (a discovered one before [Set.Watch],
// one that DNS no longer names) always counts as serving: nothing would show that
// it is back.
//
// # What is no evidence
//
// An endpoint mapper that does not answer takes nothing away: the ports it named
// are kept, and the state does not depend on it once they are known.
//
// That a host may be dead ([Options.OnSilent]) takes more than a state: as many
// attempts in a row as make a domain controller unreachable, none of which was
// accepted or refused, on any of its ports, the endpoint mapper's among them.
//
// A connection under a client's own address that fails makes a check due, and
// changes no state: a firewall may let in this machine and not the client, or the
// reverse. [DC.TryTrial] says what follows for other clients. When clients of one
// network are not answered several times in a row, this machine tries the same port for
// itself; if that is answered, it says so ([ClientsUnanswered]).
//
// That a domain controller is unreachable is no reason to refuse a client: one with
// too much to do loses SYNs, and takes the next one. It is one when the host is gone
// ([DC.Gone]): nothing has come from it for as long as a client waits, or nothing on
// connections that were asked for a sign of life, either.
//
// # Addresses
//
// A [DC] is one address. Each address of a domain controller has its own health,
// because one may be reached when another is not. [DC.BackendName] and
// [DC.ServerName] are the same for all of them, so rules, limits and logs take
// them for one; [DC.Name] is not.
//
// # Where to change what
//
//	options.go   what the caller gives; limits.go what bounds it
//	dc.go        what can be asked of a domain controller; record.go what can be recorded
//	health.go    what is known of one; observation.go what can be observed; reducer.go what that changes
//	event.go     what is reported; state.go the states
//	monitor.go   when to check; reach.go connecting, outcome.go what an error means; probeepm.go an active
//	             check that needs no NSPI client
//	watch.go     asking the endpoint mapper; process.go for the other interfaces of the process of NSPI
//	clientpath.go whether clients are answered under their own addresses; prove.go trying the same from here
//	set.go       all domain controllers and their goroutines; members.go which there are; discover.go by address
//	srv.go       following a name in DNS; lookup.go, query.go, answers.go asking; hostname.go what is accepted
//	pick.go      choosing one
package backend
