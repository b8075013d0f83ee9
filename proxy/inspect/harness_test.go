package inspect

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
	"github.com/nspiproxy/nspiproxy/session"
)

// eventLog is what an inspector has reported.
type eventLog []Event

func (l *eventLog) Report(e Event) { *l = append(*l, e) }
func (l *eventLog) Verbose() bool  { return true }

// eventsOf returns the events of one type, in their order.
func eventsOf[E Event](log eventLog) (found []E) {
	for _, e := range log {
		if e, ok := e.(E); ok {
			found = append(found, e)
		}
	}
	return found
}

// fakeConn is a connection without sockets.
type fakeConn struct {
	client        netip.AddrPort
	maxFragment   [2]int
	handshakeDone bool
	woken         int
	awaits        bool  // a session
	ended         error // why the inspector has ended it
	kept          int   // bytes
	unfinished    bool
}

func newFakeConn() *fakeConn {
	return &fakeConn{client: netip.MustParseAddrPort("10.1.2.3:50000")}
}

func (c *fakeConn) Client() netip.AddrPort                     { return c.client }
func (c *fakeConn) SetMaxFragment(d rpcparse.Direction, n int) { c.maxFragment[d] = n }
func (c *fakeConn) AwaitSession()                              { c.awaits = true }
func (c *fakeConn) Keeps(bytes int, unfinished bool)           { c.kept, c.unfinished = bytes, unfinished }
func (c *fakeConn) HandshakeDone()                             { c.handshakeDone = true }
func (c *fakeConn) End(why error)                              { c.ended = why }
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

// site is what the connections of a test share. Its clock stands still, and
// everything happens on the test's goroutine.
type site struct {
	t      testing.TB
	deps   Deps
	table  *session.Table
	now    time.Time
	events eventLog
	conns  []*driver
	groups uint32 // association ids that domain controllers have given
}

// limit sets the default limit.
func limit(n policy.Limit) func(*policy.Config) {
	return func(c *policy.Config) { c.Policy.Default.Limit = n }
}

// newSite returns a site whose configuration the changes adjust. When the test
// ends all connections are closed, and nothing may be left in the table.
func newSite(t testing.TB, changes ...func(*policy.Config)) *site {
	s := &site{t: t, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	s.table = session.NewTable(session.Options{Now: func() time.Time { return s.now }})
	s.deps.Sessions, s.deps.Events = s.table, &s.events
	config := policy.Defaults()
	for _, change := range changes {
		change(&config)
	}
	s.deps.Settings.Store(NewSettings(&config))
	t.Cleanup(s.wantNothingLeft)
	return s
}

// wantNothingLeft closes all connections: sessions, reservations and requests
// that wait end with them.
func (s *site) wantNothingLeft() {
	s.t.Helper()
	for _, d := range s.conns {
		d.close()
	}
	n := s.table.Count()
	if n.Connections|n.Associations|n.Sessions|n.Opaque|n.Unanswered|n.Reserved|n.Provisional|n.Waiting != 0 {
		s.t.Errorf("after the end of all connections the table has %+v", n)
	}
	if n.Binds != n.Unbinds+n.RunDown+n.LostByServer {
		s.t.Errorf("sessions that never ended: %+v", n)
	}
}

// wantSlots checks the slots of all users: sessions, reservations of proven
// users, reservations of claimed ones, requests that wait.
func (s *site) wantSlots(sessions, reserved, provisional, waiting int) {
	s.t.Helper()
	n := s.table.Count()
	if n.Sessions != sessions || n.Reserved != reserved || n.Provisional != provisional || n.Waiting != waiting {
		s.t.Errorf("the table has %d sessions, %d reserved, %d provisional, %d waiting; want %d, %d, %d, %d",
			n.Sessions, n.Reserved, n.Provisional, n.Waiting, sessions, reserved, provisional, waiting)
	}
}

// pass moves the clock, as the seconds of a running proxy do.
func (s *site) pass(d time.Duration) {
	s.now = s.now.Add(d)
	s.table.Expire()
	s.wake()
}

// driver feeds an [Inspector] with the PDUs of one connection and does what its
// verdicts say, as a relay does.
type driver struct {
	*fakeConn
	site      *site
	inspector *Inspector
	pending   [2][]byte                                 // by sender: the PDU that was answered with Hold
	queue     [2][][]byte                               // by sender: what came behind it
	arrived   [2][][]byte                               // by sender: what the other side got, not looked at yet
	actions   []Action                                  // of every verdict
	tape      func(side rpcparse.Direction, pdu []byte) // records what is fed; may be nil
	closed    bool
	err       error // why the inspector closed the connection
}

// connect makes a connection from the usual client to dc1; change adjusts what is
// special about it.
func (s *site) connect(changes ...func(*fakeConn, *Options)) *driver {
	d := &driver{fakeConn: newFakeConn(), site: s}
	o := Options{Conn: d.fakeConn, Endpoint: netip.MustParseAddrPort("10.0.5.11:49152"), Backend: "dc1", Shown: "dc1", RuleName: "dc1"}
	for _, change := range changes {
		change(d.fakeConn, &o)
	}
	d.inspector = New(&s.deps, o)
	s.conns = append(s.conns, d)
	return d
}

// from lets a connection come from another client.
func from(client string) func(*fakeConn, *Options) {
	return func(c *fakeConn, _ *Options) {
		c.client = netip.AddrPortFrom(netip.MustParseAddr(strings.Trim(client, "[]")), 50001)
	}
}

// client feeds PDUs that the client sends.
func (d *driver) client(pdus ...[]byte) *driver {
	for _, pdu := range pdus {
		d.feed(rpcparse.ClientToServer, pdu)
	}
	return d
}

// server feeds PDUs that the server sends.
func (d *driver) server(pdus ...[]byte) *driver {
	for _, pdu := range pdus {
		d.feed(rpcparse.ServerToClient, pdu)
	}
	return d
}

func (d *driver) feed(side rpcparse.Direction, pdu []byte) {
	d.site.t.Helper()
	if d.tape != nil {
		d.tape(side, pdu)
	}
	switch {
	case d.closed:
		return
	case d.pending[side] != nil:
		d.queue[side] = append(d.queue[side], pdu)
		return
	}
	d.decide(side, slices.Clone(pdu), false)
	d.site.wake()
}

// decide has the inspector decide on a PDU, for the first time or again.
func (d *driver) decide(side rpcparse.Direction, pdu []byte, again bool) {
	d.site.t.Helper()
	h, err := rpcparse.ParseHeader(pdu)
	if err != nil {
		d.site.t.Fatalf("PDU of the test: %v", err)
	}
	var v Verdict
	switch {
	case again:
		v = d.inspector.Resume(side, h, pdu)
	case side == rpcparse.ClientToServer:
		v = d.inspector.FromClient(h, pdu)
	default:
		v = d.inspector.FromServer(h, pdu)
	}
	d.apply(side, pdu, v)
}

// apply does what a verdict says.
func (d *driver) apply(side rpcparse.Direction, pdu []byte, v Verdict) {
	d.site.t.Helper()
	d.actions = append(d.actions, v.Action)
	d.pending[side] = nil
	switch v.Action {
	case Forward:
		d.arrived[side] = append(d.arrived[side], pdu)
	case Hold:
		if len(v.ToClient)+len(v.ToServer) > 0 {
			d.site.t.Error("a PDU is held, and something is sent in its place")
		}
		d.pending[side] = pdu
	}
	d.inject(rpcparse.ServerToClient, v.ToClient)
	d.inject(rpcparse.ClientToServer, v.ToServer)
	if v.Action == Close {
		if v.Err == nil {
			d.site.t.Error("the connection is closed without a reason")
		}
		d.err = v.Err
		d.close()
	}
}

// inject delivers PDUs of the inspector's own, which must be whole.
func (d *driver) inject(side rpcparse.Direction, pdus []byte) {
	d.site.t.Helper()
	pdus = slices.Clone(pdus)
	for len(pdus) > 0 {
		h, err := rpcparse.ParseHeader(pdus)
		if err != nil || int(h.FragLength) > len(pdus) {
			d.site.t.Fatalf("the inspector sends what is no PDU: %x, %v", pdus, err)
		}
		d.arrived[side] = append(d.arrived[side], pdus[:h.FragLength:h.FragLength])
		pdus = pdus[h.FragLength:]
	}
}

// wake has the inspectors that have asked for it decide again, until none asks.
func (s *site) wake() {
	for again := true; again; {
		again = false
		for _, d := range s.conns {
			if d.woken > 0 {
				d.woken, again = 0, true
				d.resume()
			}
		}
	}
}

// resume decides again on the PDUs that wait, and then on what came behind them.
func (d *driver) resume() {
	for _, side := range [...]rpcparse.Direction{rpcparse.ClientToServer, rpcparse.ServerToClient} {
		if d.pending[side] != nil && !d.closed {
			d.decide(side, d.pending[side], true)
		}
		for len(d.queue[side]) > 0 && d.pending[side] == nil && !d.closed {
			next := d.queue[side][0]
			d.queue[side] = d.queue[side][1:]
			d.decide(side, slices.Clone(next), false)
		}
	}
}

// close ends the connection.
func (d *driver) close() {
	if d.closed {
		return
	}
	d.closed = true
	d.inspector.Close()
	d.site.wake()
}

// atServer returns what the server got since it was asked last, atClient what
// the client got.
func (d *driver) atServer() [][]byte { return d.take(rpcparse.ClientToServer) }
func (d *driver) atClient() [][]byte { return d.take(rpcparse.ServerToClient) }

func (d *driver) take(side rpcparse.Direction) (pdus [][]byte) {
	pdus, d.arrived[side] = d.arrived[side], nil
	return pdus
}

// wantAtServer checks that these PDUs have arrived at the server, byte for byte;
// wantAtClient likewise.
func (d *driver) wantAtServer(pdus ...[]byte) {
	d.site.t.Helper()
	d.want("server", d.atServer(), pdus)
}

func (d *driver) wantAtClient(pdus ...[]byte) {
	d.site.t.Helper()
	d.want("client", d.atClient(), pdus)
}

func (d *driver) want(who string, got, want [][]byte) {
	d.site.t.Helper()
	if !slices.EqualFunc(got, want, bytes.Equal) {
		d.site.t.Errorf("the %s has\n%x\nwant\n%x\nclosed: %v", who, got, want, d.err)
	}
}

// wantOpen checks that the connection lives.
func (d *driver) wantOpen() {
	d.site.t.Helper()
	if d.closed {
		d.site.t.Errorf("the connection was closed: %v", d.err)
	}
}

// keyring has the keys of the proxy.
type keyring struct{ keys secctx.Keys }

func (k keyring) Current(string) secctx.Keys { return k.keys }
