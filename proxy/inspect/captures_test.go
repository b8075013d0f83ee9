package inspect

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/captures"
	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/capture"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
)

// replay is a capture that runs through inspectors, one for each connection, which
// share a session table as the connections of a proxy do.
type replay struct {
	*site
	conns map[*capture.Connection]*replayed
	order []*replayed
	// reseal has every PDU whose keys are known protected again.
	reseal bool
	pdus   int

	// The sessions by the judgement of conversations alone, which have no keys.
	granted, ended int
	sealed         bool // some stub could not be read by them
	handles        map[nspi.Handle]bool
}

// replayed is one connection of a capture.
type replayed struct {
	*driver
	sent     [2][][]byte    // by sender: what was fed
	before   [2]int         // by sender: how many PDUs have arrived and were looked at
	requests map[uint32]int // by call id: fragments that the server has not got
	whole    bool           // nothing of it is missing
	over     string         // why it is not fed any more
	expected rpcparse.Conversation
}

func newReplay(t testing.TB, n policy.Limit, keys secctx.Keys) *replay {
	r := &replay{site: newSite(t, limit(n)), conns: make(map[*capture.Connection]*replayed), handles: make(map[nspi.Handle]bool)}
	if keys != nil {
		r.deps.Keys = keyring{keys}
	}
	return r
}

// connection returns the connection that a PDU belongs to.
func (r *replay) connection(p *capture.PDU) *replayed {
	c := r.conns[p.Connection]
	if c == nil {
		c = &replayed{requests: make(map[uint32]int), whole: p.Header.Type == rpcparse.PTypeBind,
			expected: *rpcparse.NewConversation(rpcparse.ConversationOptions{})}
		c.driver = r.connect(func(f *fakeConn, o *Options) { f.client, o.Endpoint = p.Connection.Client, p.Connection.Server })
		if !c.whole {
			c.missed(rpcparse.ClientToServer)
		}
		r.conns[p.Connection] = c
		r.order = append(r.order, c)
	}
	return c
}

// missed tells that PDUs of a side are not in the capture.
func (c *replayed) missed(side rpcparse.Direction) {
	c.whole = false
	c.inspector.conv.Missed(side)
	c.expected.Missed(side)
}

// feed gives one PDU of the capture to its inspector.
func (r *replay) feed(p *capture.PDU) {
	c := r.connection(p)
	if c.over == "" && c.closed {
		c.over = "closed"
	}
	if c.over != "" {
		return
	}
	if p.Resumed || p.Skipped != 0 {
		c.missed(p.Dir)
	}
	if p.Ahead {
		c.missed(p.Dir.Other())
	}
	switch {
	case p.Err != nil:
		c.inspector.Malformed(p.Bytes, p.Err)
		c.over = "malformed"
		return
	case p.Cut != 0:
		c.missed(p.Dir)
		return
	case p.Dir == rpcparse.ServerToClient && c.answersWithheld(p.Header):
		return
	}
	r.pdus++
	if r.reseal {
		c.fork(p)
	}
	if p.Dir == rpcparse.ClientToServer && p.Header.Type == rpcparse.PTypeRequest {
		c.requests[p.Header.CallID]++
	}
	r.expect(c, p)
	c.sent[p.Dir] = append(c.sent[p.Dir], p.Bytes)
	c.feed(p.Dir, p.Bytes)
	for _, pdu := range c.arrived[rpcparse.ClientToServer][c.before[rpcparse.ClientToServer]:] {
		if h, err := rpcparse.ParseHeader(pdu); err == nil && h.Type == rpcparse.PTypeRequest {
			c.requests[h.CallID]--
		}
	}
	c.before[rpcparse.ClientToServer] = len(c.arrived[rpcparse.ClientToServer])
	if p.Header.Type == rpcparse.PTypeBind && !c.inspector.conv.Handshaking() {
		c.over = "it joins an association that the capture does not show"
	}
}

// answersWithheld reports whether a server's PDU answers a request which the
// server of the capture got, and this one did not.
func (c *replayed) answersWithheld(h rpcparse.Header) bool {
	if h.Type != rpcparse.PTypeResponse && h.Type != rpcparse.PTypeFault || c.requests[h.CallID] <= 0 || c.pending[rpcparse.ClientToServer] != nil {
		return false
	}
	if h.Last() {
		delete(c.requests, h.CallID)
	}
	return true
}

// fork makes the receiver's state differ from the sender's from now on, as after a
// refusal, but for the numbers.
func (c *replayed) fork(p *capture.PDU) {
	if s := c.protectedUnder(p.Bytes); s != nil {
		contextOf(s).Fork(p.Dir)
	}
}

// expect counts the sessions that were granted and ended, without an inspector.
func (r *replay) expect(c *replayed, p *capture.PDU) {
	follow := c.expected.ClientPDU
	if p.Dir == rpcparse.ServerToClient {
		follow = c.expected.ServerPDU
	}
	var parsed rpcparse.PDU
	parsed.Parse(p.Header, bytes.Clone(p.Bytes))
	events, _ := follow(&parsed, nil) // its errors are the subject of other tests
	for _, e := range events {
		switch {
		case !e.Granted:
		case e.Kind == rpcparse.EventBindAnswered:
			r.granted++
			r.handles[e.Handle] = true
			r.sealed = r.sealed || e.Opaque
		case e.Kind == rpcparse.EventUnbindAnswered && r.handles[e.Handle]: // of some the client has made up the handle
			r.ended++
		}
	}
}

// run feeds a whole capture.
func (r *replay) run(f captures.File) {
	for p := range f.PDUs(r.t) {
		r.feed(p)
	}
}

// violations are those of all connections.
func (r *replay) violations() map[string]bool {
	found := make(map[string]bool)
	for _, v := range eventsOf[Violation](r.events) {
		found[fmt.Sprint(v.Client, " ", v.Err)] = true
	}
	return found
}

// forAllConversations runs a test with the golden conversations, and with the
// collection of captures where it is there.
func forAllConversations(t *testing.T, run func(*testing.T, []captures.File)) {
	t.Run("golden", func(t *testing.T) { run(t, captures.GoldenFiles(t)) })
	t.Run("collection", func(t *testing.T) { run(t, captures.Files(t)) })
}

// Every capture passes byte for byte where no limit holds, and the sessions in
// the table are those that its domain controllers granted and did not end.
func TestCapturesPassByteForByteWithoutALimit(t *testing.T) {
	forAllConversations(t, passByteForByte)
}

func passByteForByte(t *testing.T, files []captures.File) {
	start := time.Now()
	conns, pdus, sessions, foreign := 0, 0, 0, 0
	for _, f := range files {
		r := newReplay(t, policy.Unlimited, f.Keys(t))
		r.run(f)
		conns, pdus = conns+len(r.order), pdus+r.pdus
		foreign += len(eventsOf[AssociationRefused](r.events))
		if f.Anomaly != "" {
			continue
		}
		if v := r.violations(); len(v) > 0 {
			t.Errorf("%s: %v", f.Name, v)
		}
		for _, c := range r.order {
			c.wantAllForwarded(f.Name)
		}
		n := r.table.Count()
		sessions += int(n.Binds)
		if int(n.Binds) != r.granted || int(n.Unbinds) != r.ended && !r.sealed || n.Sessions != int(n.Binds-n.Unbinds-n.LostByServer) || n.Waiting != 0 {
			t.Errorf("%s: %d sessions were granted and %d ended; the table has %+v", f.Name, r.granted, r.ended, n)
		}
	}
	t.Logf("%d captures, %d connections (%d joined an association that the capture does not show), %d PDUs, %d sessions, %.1f s",
		len(files), conns, foreign, pdus, sessions, time.Since(start).Seconds())
}

// wantAllForwarded checks that everything that was sent has arrived, unchanged and
// in its order.
func (c *replayed) wantAllForwarded(name string) {
	c.site.t.Helper()
	if c.over != "" {
		return
	}
	for side := range c.sent {
		if c.pending[side] != nil {
			c.site.t.Errorf("%s, %v: a PDU waits to the end", name, c.fakeConn.client)
		}
		got := c.arrived[side]
		for n, want := range c.sent[side] {
			if n >= len(got) || !bytes.Equal(got[n], want) {
				c.site.t.Errorf("%s, %v: PDU %d of %v does not pass as it was sent", name, c.fakeConn.client, n, rpcparse.Direction(side))
				break
			}
		}
	}
}

// No NspiBind reaches a domain controller where no session is allowed, and
// everything else goes on as before.
func TestCapturesWithoutAnySessionAllowed(t *testing.T) {
	forAllConversations(t, refuseAll)
}

func refuseAll(t *testing.T, files []captures.File) {
	start := time.Now()
	runs, pdus, refused := 0, 0, 0
	for _, f := range files {
		for _, keys := range []secctx.Keys{nil, f.Keys(t)} {
			free := newReplay(t, policy.Unlimited, keys)
			free.run(f)
			r := newReplay(t, 0, keys)
			for p := range f.PDUs(t) {
				r.feed(p)
				r.stopAtSealedRefusals()
			}
			known := free.violations()
			for v := range r.violations() {
				if !known[v] {
					t.Errorf("%s, keys %t: %s", f.Name, keys != nil, v)
				}
			}
			if n := r.table.Count(); n.Binds != 0 || n.Reserved+n.Provisional != 0 {
				t.Errorf("%s: %+v", f.Name, n)
			}
			if n := len(eventsOf[BindAnswered](r.events)); n != 0 && f.Anomaly == "" {
				t.Errorf("%s: %d NspiBind were answered by the domain controller", f.Name, n)
			}
			runs, pdus, refused = runs+1, pdus+r.pdus, refused+len(eventsOf[LimitExceeded](r.events))
		}
	}
	if refused == 0 {
		t.Error("no NspiBind was refused")
	}
	t.Logf("%d runs, %d PDUs, %d NspiBind refused, %.1f s", runs, pdus, refused, time.Since(start).Seconds())
}

// stopAtSealedRefusals ends connections on which a refusal was signed or sealed:
// the server of the capture has numbered an answer of its own in its place.
func (r *replay) stopAtSealedRefusals() {
	for _, e := range eventsOf[LimitExceeded](r.events) {
		if e.Answer != AnswerLogonFailed || e.Level <= rpcparse.LevelConnect {
			continue
		}
		for _, c := range r.order {
			if c.fakeConn.client == e.Client {
				c.over = "refused under a seal"
			}
		}
	}
}

// What is opened and protected again arrives as it was sent: with NTLM to the
// byte; Kerberos encrypts with random bytes of the sender's, so there to the length.
func TestCapturesPassWhereEveryPDUIsProtectedAgain(t *testing.T) {
	forAllConversations(t, protectAgain)
}

func protectAgain(t *testing.T, files []captures.File) {
	same, alike := 0, 0
	for _, f := range files {
		keys := f.Keys(t)
		if f.Anomaly != "" || keys.Kerberos() == nil && len(keys.NTHashes("", "")) == 0 {
			continue
		}
		r := newReplay(t, policy.Unlimited, keys)
		r.reseal = true
		r.run(f)
		for _, c := range r.order {
			if !c.whole || c.over != "" {
				continue // whether signatures cover headers was agreed before
			}
			for side := range c.sent {
				s, a := c.wantResealed(f.Name, rpcparse.Direction(side))
				same, alike = same+s, alike+a
			}
		}
	}
	t.Logf("protected again: %d PDUs with the same bytes, %d with Kerberos", same, alike)
	if same+alike == 0 {
		t.Error("no PDU was protected again")
	}
}

// wantResealed checks what has arrived of one side, and returns how many PDUs were
// protected again.
func (c *replayed) wantResealed(name string, side rpcparse.Direction) (same, alike int) {
	t := c.site.t
	t.Helper()
	if c.closed || len(c.arrived[side]) != len(c.sent[side]) {
		t.Errorf("%s, %v: %d of %d PDUs of %v arrive; closed: %v", name, c.fakeConn.client, len(c.arrived[side]), len(c.sent[side]), side, c.err)
		return 0, 0
	}
	for n, want := range c.sent[side] {
		got := c.arrived[side][n]
		switch security := c.protectedUnder(want); {
		case security == nil || security.Mechanism == rpcparse.MechanismNTLM:
			if !bytes.Equal(got, want) {
				t.Errorf("%s, %v: PDU %d of %v arrives as\n%x, was\n%x", name, c.fakeConn.client, n, side, got, want)
			}
			if security != nil {
				same++
			}
		default:
			alike++
			if len(got) != len(want) || !bytes.Equal(got[:rpcparse.HeaderSize], want[:rpcparse.HeaderSize]) {
				t.Errorf("%s, %v: PDU %d of %v arrives as\n%x, was\n%x", name, c.fakeConn.client, n, side, got, want)
			}
		}
	}
	return same, alike
}

// protectedUnder returns the security context with keys that a PDU is protected
// under, or nil.
func (c *replayed) protectedUnder(pdu []byte) *rpcparse.SecurityContext {
	h, err := rpcparse.ParseHeader(pdu)
	if err != nil || h.AuthLength == 0 {
		return nil
	}
	var x protectedPDU
	x.parse(h, pdu)
	if x.Err != nil || x.Verifier() == nil || x.Verifier().Level <= rpcparse.LevelConnect {
		return nil
	}
	if s := c.inspector.conv.Security(x.Verifier()); contextOf(s) != nil {
		return s
	}
	return nil
}
