// Package client is a DCE/RPC client for tests and for the demonstration.
// It speaks what a proxy has to carry: any interface, NDR and NDR64, both byte
// orders, NTLM bare and inside SPNEGO at every level, several presentation and
// security contexts, fragments, calls in flight at once. And it lets a test
// see and send every single PDU.
//
//	c, err := client.Dial(dc.NSPIAddr().String(), client.Options{
//		Security: &client.Security{Level: rpcparse.LevelPrivacy, Domain: "LAB", User: "alice", Password: "Secret.123"},
//	})
//	...
//	h, err := c.NspiBind()
//	...
//	err = c.NspiUnbind(h)
//
// Calls in flight: send several with [Conn.Send], take their answers in any
// order with [Conn.Receive]; [Conn.Answered] tells in which order they came.
//
// One layer down are [Conn.Write] and [Conn.ReadPDU], and below them
// [Conn.TCP]. A Conn belongs to one goroutine.
package client
