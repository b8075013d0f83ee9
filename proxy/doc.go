// Package proxy is the network side of nspiproxy: listeners, the endpoint
// mapper's answers, the inspection of every PDU, logs and metrics. Package
// proxy/relay below it moves the bytes.
//
// A connection's way through the package:
//
//	relay.Conn ── PDU ──▶ inspector ──▶ rpcparse.Conversation ──▶ events
//	                          │
//	                          ├── policy.Policy.Match     which rule, which limit
//	                          ├── session.Conn.Reserve    is a slot free, atomically
//	                          ├── endpointRewriter        ports in ept_map and ept_lookup answers
//	                          ├── referred                the server in answers that refer clients to one
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
