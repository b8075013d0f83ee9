// Package proxy is the network side of nspiproxy: listeners, the way of a
// connection to a domain controller, the inspection of every PDU, logs and
// metrics. Package proxy/relay below it moves the bytes, proxy/backend knows the
// domain controllers, proxy/transparent what the kernel has to do.
//
// A connection's way into the package:
//
//	forward.go      an address of the proxy's own ──▶ one domain controller, or pool.go: which of several
//	intercept.go    the domain controllers' own addresses ──▶ the one that the client meant
//	                          │
//	                          ▼
//	               relay.Route: an inspector, a server, a source address
//
// and through it:
//
//	relay.Conn ── PDU ──▶ inspector ──▶ rpcparse.Conversation ──▶ events
//	                          │
//	                          ├── policy.Policy.Match     which rule, which limit
//	                          ├── session.Conn.Reserve    is a slot free, atomically
//	                          ├── groupTranslation        names of associations, in front of several
//	                          ├── mapperAnswers           ept_map and ept_lookup answers: endpointRewriter puts in
//	                          │                           ports of the proxy, portLearner learns where NSPI is
//	                          ├── referred                answers that lead clients elsewhere
//	                          └── recorder                event 2820, one record a minute and user
//	                          ▼
//	                     relay.Verdict: forward, drop and answer, hold, close
//
// Start reading at [Server]; what happens to an NspiBind is in admission.go,
// how it is refused in refusal.go.
//
// Everything that belongs to one connection is touched by one loop alone, so
// the inspector has no lock. What several loops share (the session table, the
// port map, the recorder) guards itself and never waits for anything slow.
package proxy
