package proxy

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/ntlm"
)

// chainRounds is how many requests and answers go through the server while
// allocations are counted.
const chainRounds = 300

// TestForwardedPDUsAreNotAllocatedForThroughTheWholeServer sends requests on a
// session through sockets, relay, inspector and session table. What the test's
// own client and server send is made before.
func TestForwardedPDUsAreNotAllocatedForThroughTheWholeServer(t *testing.T) {
	for name, tc := range map[string]struct{ sealed, keys bool }{
		"cleartext":            {},
		"sealed, without keys": {sealed: true},
		"sealed, with keys":    {sealed: true, keys: true},
	} {
		t.Run(name, func(t *testing.T) {
			e := newChainEnds(t, tc.sealed, tc.keys)
			e.bind()
			var asks, answers [][]byte
			for range 2*chainRounds + 1 {
				asks, answers = append(asks, e.request(nspi.OpnumUnbind+1, e.call+1)), append(answers, e.response(make([]byte, 1024)))
			}
			go e.answer(asks, answers)
			n, buf := 0, make([]byte, 8192)
			round := func() {
				if _, err := e.client.Write(asks[n]); err != nil {
					t.Fatal(err)
				}
				if _, err := io.ReadFull(e.client, buf[:len(answers[n])]); err != nil {
					t.Fatal(err)
				}
				n++
			}
			for range chainRounds {
				round() // buffers, timers and goroutines have their sizes then
			}
			if avg := testing.AllocsPerRun(chainRounds, round); avg > 0 {
				t.Errorf("%v allocations for a request and its answer", avg)
			}
		})
	}
}

// chainEnds are a client and a server that speak bytes which are made before,
// with the proxy between them.
type chainEnds struct {
	t              *testing.T
	client, server net.Conn
	initiator      ntlm.Initiator
	acceptor       ntlm.Acceptor
	protect        [2]*ntlm.Stream // by direction; nil: nothing is protected
	call           uint32
}

func newChainEnds(t *testing.T, sealed, keys bool) *chainEnds {
	t.Helper()
	n := byte(stages.Add(1))
	l, err := net.Listen("tcp", netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 1, n, 10}), 6001).String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	config := policy.Defaults()
	front := netip.AddrFrom4([4]byte{127, 1, n, 20})
	config.Listeners = []policy.Listener{{Name: "front", Mode: policy.ModeForward, Backend: "dc1", Address: front}}
	config.Backends = []policy.Backend{{Name: "dc1", Address: netip.AddrFrom4([4]byte{127, 1, n, 10}), NSPIPort: 6001, EPMPort: 135}}
	config.Health.Check, config.Health.EndpointInterval = policy.CheckNone, time.Hour // they allocate
	config.Policy.Default.Limit = 3
	if keys {
		config.Identity.Keytabs = []policy.File{policy.File(keytabOf(t, map[string]string{alice: alicePassword}))}
	}
	s := &stage{t: t, log: &book{}}
	s.start(&config)
	e := &chainEnds{t: t, initiator: ntlm.Initiator{Domain: "LAB", User: alice, Password: alicePassword}}
	e.acceptor = ntlm.Acceptor{Domain: "LAB", Computer: "DC1", Lookup: func(string, string) (ntlm.Hash, bool) { return ntlm.NTHash(alicePassword), true }}
	if e.client, err = net.Dial("tcp", netip.AddrPortFrom(front, 6001).String()); err != nil {
		t.Fatal(err)
	}
	if e.server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.client.Close(); e.server.Close() })
	if sealed {
		e.authenticate()
	} else {
		e.exchange(e.bindPDU(nil), e.bindAck(nil))
	}
	return e
}

// authenticate binds with NTLM at level privacy.
func (e *chainEnds) authenticate() {
	negotiate, err := e.initiator.Negotiate()
	e.must(err)
	challenge, err := e.acceptor.Challenge(negotiate)
	e.must(err)
	e.exchange(e.bindPDU(negotiate), e.bindAck(challenge))
	authenticate, err := e.initiator.Authenticate(challenge)
	e.must(err)
	accepted, err := e.acceptor.Accept(authenticate)
	e.must(err)
	auth3, err := rpcparse.AppendAuth3(nil, rpcparse.Auth3{Header: e.header(rpcparse.PTypeAuth3), HasVerifier: true, Verifier: verifier(authenticate)})
	e.must(err)
	e.send(e.client, e.server, auth3)
	client, err := e.initiator.Session()
	e.must(err)
	e.protect = [2]*ntlm.Stream{client.Send, accepted.Session.Send}
}

// bind opens a session.
func (e *chainEnds) bind() {
	stub := nspi.AppendBindRequest(nil, nspi.BindRequest{}, nspi.NDR, rpcparse.LittleEndian)
	granted := nspi.AppendBindResponse(nil, nspi.BindResponse{Handle: nspi.Handle{4: 1}, Code: nspi.Success}, nspi.NDR, rpcparse.LittleEndian)
	e.exchange(e.requestStub(nspi.OpnumBind, stub), e.response(granted))
}

// request is a request that names the session.
func (e *chainEnds) request(opnum uint16, call uint32) []byte {
	e.call = call
	return e.requestStub(opnum, append(nspi.Handle{4: 1}.Append(nil, rpcparse.LittleEndian), make([]byte, 180)...))
}

func (e *chainEnds) requestStub(opnum uint16, stub []byte) []byte {
	r := rpcparse.Request{Header: e.header(rpcparse.PTypeRequest), Opnum: opnum, Stub: stub}
	if e.protect[0] != nil {
		r.HasVerifier, r.Verifier = true, verifier(make([]byte, ntlm.TokenSize))
		r.Verifier.PadLength = rpcparse.PadTo(len(stub), 16)
	}
	pdu, err := rpcparse.AppendRequest(nil, r)
	e.must(err)
	return e.seal(rpcparse.ClientToServer, pdu, len(stub)+int(r.Verifier.PadLength))
}

func (e *chainEnds) response(stub []byte) []byte {
	r := rpcparse.Response{Header: e.header(rpcparse.PTypeResponse), Stub: stub}
	if e.protect[1] != nil {
		r.HasVerifier, r.Verifier = true, verifier(make([]byte, ntlm.TokenSize))
		r.Verifier.PadLength = rpcparse.PadTo(len(stub), 16)
	}
	pdu, err := rpcparse.AppendResponse(nil, r)
	e.must(err)
	return e.seal(rpcparse.ServerToClient, pdu, len(stub)+int(r.Verifier.PadLength))
}

func (e *chainEnds) seal(d rpcparse.Direction, pdu []byte, body int) []byte {
	const start = 24
	if s := e.protect[d]; s != nil {
		e.must(s.Protect(pdu, start, start+body, true))
	}
	return pdu
}

func (e *chainEnds) bindPDU(token []byte) []byte {
	b := rpcparse.Bind{Header: e.header(rpcparse.PTypeBind), MaxXmitFrag: 5840, MaxRecvFrag: 5840,
		Contexts: rpcparse.NewContextList(rpcparse.ContextElement{Abstract: nspi.Interface, Transfers: rpcparse.NewSyntaxList(rpcparse.SyntaxNDR)})}
	if token != nil {
		b.HasVerifier, b.Verifier = true, verifier(token)
	}
	pdu, err := rpcparse.AppendBind(nil, b)
	e.must(err)
	return pdu
}

func (e *chainEnds) bindAck(token []byte) []byte {
	a := rpcparse.BindAck{Header: e.header(rpcparse.PTypeBindAck), MaxXmitFrag: 5840, MaxRecvFrag: 5840, AssocGroupID: 7,
		Results: rpcparse.NewResultList(rpcparse.ContextResult{Transfer: rpcparse.SyntaxNDR})}
	if token != nil {
		a.HasVerifier, a.Verifier = true, verifier(token)
	}
	pdu, err := rpcparse.AppendBindAck(nil, a)
	e.must(err)
	return pdu
}

func verifier(token []byte) rpcparse.Verifier {
	return rpcparse.Verifier{Type: rpcparse.AuthNTLM, Level: rpcparse.LevelPrivacy, ContextID: 1, Token: token}
}

func (e *chainEnds) header(t rpcparse.PType) rpcparse.Header {
	return rpcparse.Header{Type: t, Flags: rpcparse.FlagsWhole, Version: 5, Drep: rpcparse.DrepLittleEndian, CallID: e.call}
}

// exchange sends a PDU each way.
func (e *chainEnds) exchange(ask, answer []byte) {
	e.t.Helper()
	e.send(e.client, e.server, ask)
	e.send(e.server, e.client, answer)
}

// send sends a PDU, which must arrive as it is.
func (e *chainEnds) send(from, to net.Conn, pdu []byte) {
	e.t.Helper()
	_, err := from.Write(pdu)
	e.must(err)
	got := make([]byte, len(pdu))
	_, err = io.ReadFull(to, got)
	e.must(err)
	if string(got) != string(pdu) {
		e.t.Fatalf("arrived as %x, sent as %x", got, pdu)
	}
}

// answer is the server: it takes requests and sends what was made for each.
func (e *chainEnds) answer(asks, answers [][]byte) {
	buf := make([]byte, 8192)
	for n := range asks {
		if _, err := io.ReadFull(e.server, buf[:len(asks[n])]); err != nil {
			return
		}
		if _, err := e.server.Write(answers[n]); err != nil {
			return
		}
	}
}

func (e *chainEnds) must(err error) {
	e.t.Helper()
	if err != nil {
		e.t.Fatal(fmt.Errorf("chain: %w", err))
	}
}
