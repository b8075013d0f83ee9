// Package proxy assembles a running proxy from its parts, starts it and stops it.
// What the parts do is theirs:
//
//	proxy/listen        where clients come in, where they go
//	proxy/relay         event loops: whole PDUs from socket to socket
//	proxy/inspect       decides on each PDU of one connection
//	proxy/verdict       what a decision may say
//	proxy/report        the events of inspect: log records, sums, metrics
//	proxy/backend       the domain controllers, and how they are
//	proxy/transparent   what the kernel does before there is a connection
//
//	server.go        the parts of a [Server], and their life
//	controllers.go   domain controllers of the configuration, and what becomes of their changes
//	keyring.go       keytabs, loaded again when they change
//	files.go         the files that the configuration names, read in one way by check and serve
//	machine.go       what of it does not fit this machine
//	directory.go     the directory that names are looked up in
//	http.go          /metrics; collect.go, collect_controllers.go: what is counted elsewhere
package proxy
