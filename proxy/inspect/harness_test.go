package inspect

import (
	"net/netip"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// eventLog is what an inspector has reported.
type eventLog []Event

func (l *eventLog) Report(e Event) { *l = append(*l, e) }
func (l *eventLog) Verbose() bool  { return true }

// fakeConn is a connection without sockets.
type fakeConn struct {
	client        netip.AddrPort
	maxFragment   [2]int
	handshakeDone bool
	woken         int
}

func newFakeConn() *fakeConn {
	return &fakeConn{client: netip.MustParseAddrPort("10.1.2.3:50000")}
}

func (c *fakeConn) Client() netip.AddrPort                     { return c.client }
func (c *fakeConn) SetMaxFragment(d rpcparse.Direction, n int) { c.maxFragment[d] = n }
func (c *fakeConn) HandshakeDone()                             { c.handshakeDone = true }
func (c *fakeConn) Wake()                                      { c.woken++ }

// newExchange returns what a rewriter sees of a connection, and what it reports.
func newExchange() (exchange, *eventLog) {
	log := new(eventLog)
	return exchange{&link{conn: newFakeConn(), deps: &Deps{Events: log}, backend: "dc1"}, new(rpcparse.Conversation)}, log
}

func unheardExchange() exchange {
	on, _ := newExchange()
	return on
}
