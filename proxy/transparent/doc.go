// Package transparent is what the kernel has to do so that connections which
// clients make to domain controllers' own addresses come to the proxy: nftables
// rules, routes, and the set of ports that were learnt. The sockets on which they
// arrive are package relay's.
//
//	plan := transparent.New(config)
//	fmt.Print(plan.Script(learnt, path)) // nspiproxy rules
//	err := plan.Apply(learnt)            // nspiproxy rules --apply; also Remove and OnStop
//
//	ports := transparent.OpenPorts(config.Transparent.StateFile, report)
//	watcher := plan.NewWatcher(ports, transparent.WatchOptions{Repair: true, Report: report})
//	watcher.Start(wait)                // rules are in force, while it runs
//	set := watcher.Ports
//	isNew, err := ports.Learn(ap)      // an endpoint mapper has named ap
//	set.Add(ap, func(err error) {})    // called when connections to ap come here
//
// # The way of a packet
//
//	TPROXY                            client                     proxy                  domain controller
//	chain from_clients   c:1 → dc:135  ───▶  socket dc:135
//	                                         socket c:1 (or another port)  ───▶  c:1 → dc:135
//	chain from_servers                       socket c:1  ◀───  dc:135 → c:1
//	chain to_clients     dc:135 → c:1  ◀───  socket dc:135
//
// A rule gives a packet to a socket of this machine and marks it; a routing table
// in which everything is local makes the kernel keep marked packets, whatever
// their destination. A packet is marked if it has all bits of the mark: others may
// set theirs. The first packet of a connection is found by interface, destination
// and port (135, the configured ones, the sets learnt4 and learnt6), packets of
// connections by their socket. Client and domain controller see each other's
// addresses and ports, so this machine has two TCP connections with the same
// addresses and ports in both: those with clients are taken out of connection
// tracking, which would take both for one. ICMP errors about either are for our
// sockets, too.
//
// REDIRECT exchanges the destination for this machine's own (chain redirected)
// and connection tracking remembers the former one. The domain controller sees
// this machine's address.
//
// Packets that this machine itself sends, and those to other ports, addresses and
// from other interfaces, meet no rule of ours.
//
// # What is in force, and when
//
// "direct" means that a client reaches the domain controller past the proxy,
// "refused" that it gets a reset (connection refused).
//
//	                                          tproxy            redirect          tproxy    redirect
//	                                          open              open              closed    closed
//	new connection, the proxy runs            proxy             proxy             proxy     proxy
//	the proxy is killed: its connections      end, or reset     end, or reset     the same  the same
//	  new, rules in force, proxy down         direct            refused           refused   refused
//	  new, after OnStop                       direct            direct            refused   refused
//	  new, after Remove                       direct            direct            direct    direct
//	the proxy and the rules are back:
//	  a connection made meanwhile             lives             lives             none      none
//	  one from when there were no rules       reset             reset             reset     reset
//	the proxy stops orderly and waits for connections to end (relay.shutdown_timeout):
//	  the connections it has                  live              live              live      live
//	  new                                     direct            refused           refused   refused
//
// A TPROXY rule without a listening socket does not match: open needs nothing
// else.
//
// # What passes by
//
// Chain forwarded sees packets to and from domain controllers that no rule has taken.
// The first packet of a connection to an intercepted port is refused there (closed), or
// puts it into the set direct4 or direct6 (open): a connection in it passes by until it
// ends, by whatever rules are in force then, on whatever ports. Apply keeps these sets.
//
//	direct  ── reset by either side ──▶  reset   ── the domain controller says more ──▶  direct
//	direct  ── ended by the domain controller ──▶  ending  ── silent for two minutes ──▶  forgotten
//
// A domain controller keeps the sessions of a connection that its client alone has ended,
// and takes no reset whose number is not exact: who has sent one is not sure, and it may
// be late. A connection in reset or ending passes by, and is not counted.
//
// Other packets belong to connections that began where these rules were not: before they
// were applied, or to another port, or through another router, whose proxy has a
// connection of its own to the domain controller, with other sequence numbers. Left
// alone they would be counted nowhere, and in the last case client and domain controller
// would answer each other's acknowledgements for ever. Resetting the client alone would
// leave its sessions on the domain controller for two hours. A reset must have the number
// that its receiver waits for, and what a packet acknowledges is that of its sender. So
//
//	set       has connections of which                  what comes next                  becomes of it
//	stray     the client has sent data, which goes on   the domain controller's answer   a reset for the domain controller
//	asked     the client has acknowledged, which too    a mere acknowledgement           the same
//	answered  the domain controller has sent data       the client's acknowledgement     a reset for the client
//
// Who is not reset has something to send again, and the other end knows of no connection
// by then and resets it: the client its data or its keep-alive, the domain controller what
// the client has not acknowledged. Both ends are exact, and need no proxy that runs.
//
// REDIRECT does not see the first packet of a connection that connection tracking takes
// for a part of an earlier one: after an ACK from the same port, for example. Chain missed
// refuses it, so that nothing gets past a proxy that runs.
//
// Packets that a flow table forwards (nft "flow add", hardware offload) meet none of these
// chains. A connection that passes by may take that way. One from before the rules goes on
// by it until it has been silent for half a minute.
//
// The sets are bounded. A flood of first packets while the proxy does not run, 2,000 a second, fills
// direct: connections that do not fit are strays.
//
// # After the end
//
// OnStop empties the chains that take connections (open) or does nothing
// (closed). The other chains and the routing stay until Remove: the kernel goes on
// sending what the dead proxy's sockets have, the end of a connection last, and
// without these rules it would not hear the client's acknowledgements. A client
// in the middle of an answer would wait for minutes. For the same reason Remove is
// for a proxy whose last connection ended a minute ago: as long as this machine
// has a socket with the addresses and ports of a packet, TIME_WAIT included, it
// does not forward it.
//
// At boot there are no rules until they are applied. Who fails closed and means
// it has the printed script run before the interfaces are up.
//
// # What is ours
//
// The table inet nspiproxy, routing rules and routes with the protocol number 78.
// Apply replaces all of it and Remove removes all of it, whatever configuration
// it is from; neither touches anything else. nft loads a table in one
// transaction; Apply changes the routing first, which alone does nothing, and has
// it as it was when nft fails. The table says in its comment what OnStop has to
// do, and which rules it was made with: a configuration may have changed by then.
//
// The routing rules let this machine's own lookups pass by, so these do not
// matter: rp_filter (0, 1, 2), src_valid_mark, tcp_fwmark_accept, fwmark_reflect,
// and the reverse-path filter of firewalld. The machine must forward packets
// (net.ipv4.ip_forward, net.ipv6.conf.all.forwarding) and its firewall must accept
// in its input hook what comes here, and in its output hook what goes out: Script
// says how, Check looks. A rule of others
// before ours may lead marked packets away: the kernel is asked where packets of
// clients and of domain controllers go, as "ip route get" does (checklookup_linux.go).
//
// # Learnt ports
//
// [Ports] is what is known; it is kept in the state file and bounded. [PortSet]
// makes the kernel's sets equal to it, by netlink (a port in a tenth of a
// millisecond; the program nft takes 2 to 3).
//
// # What others change
//
// While the program runs, a [Watcher] keeps all of it in force. It compares once a
// second, and when the kernel tells of a change (changes_linux.go): a firewall that is
// loaded flushes all rules; systemd-networkd, when it starts, removes routes that it
// does not know, unless it is told not to; an administrator applies another
// configuration.
//
//	transaction of nftables, change of routing ──▶ changes ──┐
//	tick, once a second ─────────────────────────────────────┤
//	Add, Sync ──▶ PortSet ───────────────────────────────────┤
//	                                                         ▼
//	                      Watcher: comparison ── differs ──▶ Report, Apply (as often as pace allows)
//
// The number of the last transaction of nftables tells whether anything was changed
// since the last comparison; so a quiet second costs one question about the rules, and
// a few about routing and interfaces, 0.4 ms together. After a change the table is read, in 1 to 2 ms:
// its comment, and the number and a digest of the rules of each chain. The digests are
// those of what was in force when comment and numbers were right for the first time.
// What others change in their own tables and routes costs 5 % of one processor at most.
// Routing counts as changed after a quarter of a second: the printed script takes it
// away and adds it again.
//
// # Privileges and platforms
//
// CAP_NET_ADMIN is all that is needed, as an ambient capability where nft and ip
// are run by a user other than root: ip drops it otherwise. Rules can be printed
// everywhere, and be put in force on Linux: the match on wildcard sockets needs
// 5.11, and the tests run with the nftables and iproute2 of Debian 12. Modules that
// the kernel lacks are named (module_linux.go).
package transparent
