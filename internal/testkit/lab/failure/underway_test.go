//go:build lab

package failure

import (
	"bytes"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// underWay is connections of one machine, each with a session, on each of which something is under way: half a request, half
// of a large answer, a bind that the domain controller works on.
type underWay struct {
	asking, reading, binding *lab.Conn

	rest  []byte // of what asking has to send
	stub  []byte // of what reading has read
	whole bool   // that is all
}

const (
	// slowBind is how long the domain controller works on a bind: longer than a cable takes to be cut.
	slowBind = time.Second
	// largeAnswer is more than sockets and the proxy have room for: it waits for its reader. In bytes.
	largeAnswer = 4 << 20
	// firstPart is what is read of it.
	firstPart = 64 << 10

	echoContext = 1
	echoCall    = 21
	bindCall    = 11
)

// route is from a client to a server.
type route struct {
	from *lab.Machine
	to   netip.Addr
}

// startUnderWay opens the connections of each route, and then begins all that is to be under way.
func (p *failPath) startUnderWay(t *testing.T, routes ...route) (all []*underWay) {
	t.Helper()
	p.slow(t, 0)
	var opening sync.WaitGroup
	for _, r := range routes {
		u := &underWay{}
		all = append(all, u)
		for _, c := range []**lab.Conn{&u.asking, &u.reading, &u.binding} {
			opening.Go(func() {
				var err error
				if *c, err = join(r.from, r.to, netip.Addr{}); err != nil {
					t.Error(err)
				}
			})
		}
	}
	opening.Wait()
	if t.Failed() {
		t.FailNow()
	}
	for _, u := range all {
		t.Cleanup(u.close)
		u.read(t)
	}
	p.slow(t, slowBind)
	for _, u := range all {
		u.begin(t)
	}
	return all
}

// slow says how long all domain controllers work on a bind from now on.
func (p *failPath) slow(t *testing.T, bind time.Duration) {
	t.Helper()
	for _, dc := range p.Options.DCs {
		dc.Slow(t, bind, 0)
	}
}

// begin sends half a request on one connection, and on another one a bind.
func (u *underWay) begin(t *testing.T) {
	t.Helper()
	request, err := lab.AppendNspiBind(nil, bindCall)
	if err != nil {
		t.Fatal(err)
	}
	write(t, u.asking, request[:len(request)/2])
	u.rest = request[len(request)/2:]
	write(t, u.binding, request)
}

// read asks for a large answer and reads its first part.
func (u *underWay) read(t *testing.T) {
	t.Helper()
	header := func(p rpcparse.PType) rpcparse.Header {
		return rpcparse.Header{Type: p, Flags: rpcparse.FlagsWhole, Drep: rpcparse.DrepLittleEndian, CallID: echoCall}
	}
	alter, err := rpcparse.AppendBind(nil, rpcparse.Bind{
		Header: header(rpcparse.PTypeAlterContext), MaxXmitFrag: rpcparse.DefaultFragment, MaxRecvFrag: rpcparse.DefaultFragment,
		Contexts: rpcparse.NewContextList(rpcparse.ContextElement{
			ID: echoContext, Abstract: simdc.EchoInterface, Transfers: rpcparse.NewSyntaxList(rpcparse.SyntaxNDR),
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	write(t, u.reading, alter)
	if pdu, err := lab.NextPDU(u.reading.TCP); err != nil || pdu[2] != byte(rpcparse.PTypeAlterContextResp) {
		t.Fatalf("alter_context is answered by % x, %v", pdu, err)
	}
	request, err := rpcparse.AppendRequest(nil, rpcparse.Request{
		Header: header(rpcparse.PTypeRequest), ContextID: echoContext, Opnum: simdc.EchoSizeOpnum,
		AllocHint: 4, Stub: rpcparse.LittleEndian.AppendUint32(nil, largeAnswer),
	})
	if err != nil {
		t.Fatal(err)
	}
	write(t, u.reading, request)
	for len(u.stub) < firstPart {
		if err := u.readOn(); err != nil {
			t.Fatal(err)
		}
	}
}

// readOn reads a fragment of the large answer.
func (u *underWay) readOn() error {
	pdu, err := lab.NextPDU(u.reading.TCP)
	if err != nil {
		return err
	}
	r, err := rpcparse.ParseResponse(pdu)
	u.stub, u.whole = append(u.stub, r.Stub...), r.Last()
	return err
}

// goesOn finishes all three, and fails the test unless each ends as if nothing had happened.
func (u *underWay) goesOn(t *testing.T) {
	t.Helper()
	write(t, u.asking, u.rest)
	for _, c := range []*lab.Conn{u.asking, u.binding} {
		if codes := lab.ReadBinds(t, c, 1); codes[bindCall] != nspi.Success {
			t.Errorf("NspiBind: %v", codes)
		}
	}
	for !u.whole {
		if err := u.readOn(); err != nil {
			t.Fatalf("after %d bytes of the large answer: %v", len(u.stub), err)
		}
	}
	if !bytes.Equal(u.stub, simdc.EchoPattern(largeAnswer)) {
		t.Error("the large answer has changed on its way")
	}
}

// end waits until the connections end, and fails the test unless that is by a reset.
func (u *underWay) end(t *testing.T) {
	t.Helper()
	var err error
	for err == nil {
		err = u.readOn()
	}
	if !isRefused(err) {
		t.Errorf("in the large answer: %v instead of a reset", err)
	}
	for _, c := range []*lab.Conn{u.asking, u.binding} {
		_ = c.TCP.SetReadDeadline(time.Now().Add(lab.SettleTime))
		if n, err := c.TCP.Read(make([]byte, 1)); !isRefused(err) {
			t.Errorf("%d bytes, %v instead of a reset", n, err)
		}
	}
}

// close ends the connections in order.
func (u *underWay) close() {
	for _, c := range []*lab.Conn{u.reading, u.asking, u.binding} {
		c.Close()
	}
}

// vanish makes the sockets go away while nobody hears of it: the machine's cable is silent.
func (u *underWay) vanish() {
	for _, c := range []*lab.Conn{u.reading, u.asking, u.binding} {
		c.Reset()
	}
}

func write(t *testing.T, c *lab.Conn, b []byte) {
	t.Helper()
	if _, err := c.TCP.Write(b); err != nil {
		t.Fatal(err)
	}
}
