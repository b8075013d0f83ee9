// Package forge makes Kerberos handshakes of clients that are unusual or hostile, and the answers of their servers, for
// tests of what a proxy makes of them.
//
//	ticket := forge.NewTicket(service, "alice", "S-1-5-21-1-2-3-1105") // or one of a real KDC: &forge.Ticket{Ticket: ..., Session: ...}
//	client := forge.Client{Ticket: ticket, Flags: forge.DCEStyle}
//	request := client.Request()          // AP-REQ
//	answer := client.Answer(subkey)      // what the server says: AP-REP
//	third := client.Third(answer)        // the client's AP-REP
//
// Everything that a client of such a handshake may choose is a field of [Client]; [Long] and [Envelope] put a token into
// another encoding. Errors end the process of the test: what is forged is the test's own.
package forge
