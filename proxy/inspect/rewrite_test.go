package inspect

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/rfri"
	"github.com/nspiproxy/nspiproxy/rpcparse/tower"
)

// openedPorts opens the port that is 1000 higher, up to a last one.
type openedPorts struct{ last uint16 }

func (p openedPorts) PortFor(e tower.Endpoint) (uint16, error) {
	if e.Port > p.last {
		return 0, errors.New("no port is free")
	}
	return e.Port + 1000, nil
}

// opening is a connection to the endpoint mapper of a forward listener.
func opening(last uint16) func(*fakeConn, *Options) {
	return func(_ *fakeConn, o *Options) { o.Ports, o.Front = openedPorts{last}, frontAddress }
}

// Where the domain controller is, and what the client has connected to.
var dcAddress, frontAddress = netip.MustParseAddr("10.0.5.11"), netip.MustParseAddr("10.0.9.1")

// mapStub is an answer of ept_map or ept_lookup in either byte order, whose
// towers have this address and these ports.
func mapStub(t testing.TB, opnum uint16, o rpcparse.Order, at netip.Addr, ports ...uint16) []byte {
	t.Helper()
	if opnum == tower.OpnumMap {
		a := tower.MapAnswer{Max: uint32(len(ports))}
		for _, port := range ports {
			a.Towers = append(a.Towers, tower.BuildTCP(nspi.Interface, rpcparse.SyntaxNDR, port, at))
		}
		stub, err := tower.AppendMapResponse(nil, a, tower.NDR, o)
		return must(t, stub, err)
	}
	a := tower.LookupAnswer{Max: uint32(len(ports))}
	for _, port := range ports {
		a.Entries = append(a.Entries, tower.AnswerEntry{Annotation: "NSPI",
			Tower: tower.BuildTCP(nspi.Interface, rpcparse.SyntaxNDR, port, at)})
	}
	stub, err := tower.AppendLookupResponse(nil, a, tower.NDR, o)
	return must(t, stub, err)
}

// answered makes a call whose answer comes in n fragments, and returns what the
// client got.
func (d *driver) answered(r rpc, stub []byte, n int) [][]byte {
	t := d.site.t
	t.Helper()
	d.client(r.request(t, make([]byte, 16)))
	if got := d.atServer(); len(got) != 1 {
		t.Fatalf("%d requests reach the server; closed: %v", len(got), d.err)
	}
	for _, pdu := range fragmentsOf(t, r, stub, n) {
		d.server(pdu)
	}
	return d.atClient()
}

func fragmentsOf(t testing.TB, r rpc, stub []byte, n int) (pdus [][]byte) {
	t.Helper()
	for i := range n {
		flags := middle
		if i == 0 {
			flags |= first
		}
		if i == n-1 {
			flags |= last
		}
		pdus = append(pdus, r.part(flags).response(t, stub[i*len(stub)/n:(i+1)*len(stub)/n]))
	}
	return pdus
}

func TestEndpointMapperAnswersNameThePortsOfTheProxy(t *testing.T) {
	for _, opnum := range []uint16{tower.OpnumMap, tower.OpnumLookup} {
		for _, order := range []rpcparse.Order{rpcparse.LittleEndian, rpcparse.BigEndian} {
			for _, n := range []int{1, 2, 3, 7} {
				for _, level := range []rpcparse.AuthLevel{0, rpcparse.LevelConnect} {
					t.Run(fmt.Sprint(tower.OpnumName(opnum), " ", order == rpcparse.BigEndian, " ", n, " ", level), func(t *testing.T) {
						s := newSite(t)
						d := s.connect(opening(60000))
						call := rpc{id: 2, ctx: ctxMapper, opnum: opnum, order: order}
						if level != 0 {
							call.sec = alice(t, level)
						}
						d.bound(call.sec)
						got := d.answered(call, mapStub(t, opnum, order, dcAddress, 49152, 49153), n)
						want := fragmentsOf(t, call, mapStub(t, opnum, order, frontAddress, 50152, 50153), n)
						d.want("client", got, want)
						if all := eventsOf[EndpointsUnchanged](s.events); len(all) != 0 {
							t.Errorf("reported %+v", all)
						}
					})
				}
			}
		}
	}
}

func TestEndpointMapperAnswersThatCannotBeRewrittenPass(t *testing.T) {
	stub := mapStub(t, tower.OpnumMap, rpcparse.LittleEndian, dcAddress, 49152)
	noPort := mapStub(t, tower.OpnumMap, rpcparse.LittleEndian, frontAddress, 49152)
	for name, tc := range map[string]struct {
		level rpcparse.AuthLevel
		keys  bool
		stub  []byte
		last  uint16
		want  EndpointReason
		got   []byte // by the client; nil: what was sent
	}{
		"signed":           {rpcparse.LevelIntegrity, false, stub, 60000, EndpointsProtected, nil},
		"sealed":           {rpcparse.LevelPrivacy, false, stub, 60000, EndpointsProtected, nil},
		"sealed with keys": {rpcparse.LevelPrivacy, true, stub, 60000, EndpointsProtected, nil},
		"malformed":        {0, false, stub[:len(stub)-3], 60000, EndpointsMalformed, nil},
		"empty":            {0, false, nil, 60000, EndpointsMalformed, nil},
		"no port":          {0, false, stub, 1024, EndpointsNoPort, noPort},
	} {
		for n := 1; n < 3; n++ {
			t.Run(fmt.Sprint(name, " ", n), func(t *testing.T) {
				s := newSite(t)
				if tc.keys {
					s.deps.Keys = keyring{keytabKeys{}}
				}
				d := s.connect(opening(tc.last))
				call := rpc{id: 2, ctx: ctxMapper, opnum: tower.OpnumMap}
				if tc.level != 0 {
					call.sec = alice(t, tc.level)
				}
				d.bound(call.sec)
				d.client(call.request(t, make([]byte, 16)))
				d.atServer()
				sent := fragmentsOf(t, call, tc.stub, n)
				d.server(sent...)
				if tc.got != nil {
					sent = fragmentsOf(t, call, tc.got, n)
				}
				d.wantAtClient(sent...)
				all := eventsOf[EndpointsUnchanged](s.events)
				if len(all) == 0 || all[0].Reason != tc.want {
					t.Errorf("reported %+v, want %v", all, tc.want)
				}
			})
		}
	}
}

// RPC over HTTP needs more than another port.
func TestTowersOfOtherTransportsPass(t *testing.T) {
	s := newSite(t)
	d := s.connect(opening(60000))
	d.bound(nil)
	answer := func(port uint16, at netip.Addr) []byte {
		stub, err := tower.AppendMapResponse(nil, tower.MapAnswer{Max: 2, Towers: [][]byte{
			tower.AppendHTTP(nil, nspi.Interface, rpcparse.SyntaxNDR, 6004, dcAddress),
			tower.BuildTCP(nspi.Interface, rpcparse.SyntaxNDR, port, at),
		}}, tower.NDR, rpcparse.LittleEndian)
		return must(t, stub, err)
	}
	call := rpc{id: 2, ctx: ctxMapper, opnum: tower.OpnumMap}
	d.want("client", d.answered(call, answer(49152, dcAddress), 1), [][]byte{call.response(t, answer(50152, frontAddress))})
}

// Fragments that are kept until an answer is whole are bounded, and an answer that
// another PDU interrupts reaches the client before that.
func TestEndpointMapperAnswerThatIsNotWholeIsNotLost(t *testing.T) {
	s := newSite(t)
	d := s.connect(opening(60000))
	d.bound(nil)
	call := rpc{id: 2, ctx: ctxMapper, opnum: tower.OpnumLookup}
	d.client(call.request(t, nil))
	stub := mapStub(t, tower.OpnumLookup, rpcparse.LittleEndian, dcAddress, 49152, 49153)
	part := call.part(first).response(t, stub[:50])
	d.server(part)
	d.wantAtClient()
	fault := call.fault(t, rpcparse.StatusUnspecified)
	d.server(fault)
	d.wantAtClient(part, fault)

	call.id = 3
	d.client(call.request(t, nil))
	flags := first
	for range 2 + maxEndpointAnswer/4096 {
		d.server(call.part(flags).response(t, make([]byte, 4096)))
		flags = middle
	}
	if !d.closed || rpcparse.ClassOf(d.err) != rpcparse.ClassLimit {
		t.Errorf("closed: %v", d.err)
	}
}

// intercepting tells of ports when the test says so.
type intercepting struct {
	known   []uint16
	done    []func()
	watched int
}

func (p *intercepting) Watch() { p.watched++ }

func (p *intercepting) Intercept(end tower.Endpoint, done func()) bool {
	port := end.Port
	if slices.Contains(p.known, port) {
		return false
	}
	p.known, p.done = append(p.known, port), append(p.done, done)
	return true
}

func TestAnswerThatNamesANewPortWaitsUntilThatIsIntercepted(t *testing.T) {
	for _, n := range []int{1, 3} {
		s := newSite(t, limit(0))
		ports := &intercepting{known: []uint16{49152}}
		d := s.connect(func(_ *fakeConn, o *Options) { o.Interceptor = ports })
		d.bound(nil)
		call := rpc{id: 2, ctx: ctxMapper, opnum: tower.OpnumMap}
		d.client(call.request(t, nil))
		sent := fragmentsOf(t, call, mapStub(t, tower.OpnumMap, rpcparse.LittleEndian, dcAddress, 49152, 49153, 49154), n)
		other := rpc{id: 3, ctx: ctxOther}
		behind := other.response(t, make([]byte, 4))
		d.client(other.request(t, nil))
		d.server(sent...).server(behind)
		d.wantAtClient(sent[:n-1]...)

		refused := nspiBind(4, nil) // its answer must not overtake the end of the one that waits
		d.client(refused.request(t, refused.bindStub()))
		d.wantAtClient()
		for _, done := range ports.done {
			d.wantAtClient()
			done()
			s.wake()
		}
		got := d.atClient()
		if len(got) != 3 || !bytes.Equal(got[0], sent[n-1]) {
			t.Fatalf("%d fragments: the client has %x", n, got)
		}
		wantLogonFailed(t, refused, got[1])
		if !bytes.Equal(got[2], behind) {
			t.Errorf("behind it: %x", got[2])
		}
		call.id = 5
		d.client(call.request(t, nil))
		again := call.response(t, mapStub(t, tower.OpnumMap, rpcparse.LittleEndian, dcAddress, 49154))
		d.server(again)
		d.wantAtClient(again)
	}
}

// Referrals.

const proxyName = "gc-proxy.corp.example"

func referring(name string) func(*fakeConn, *Options) {
	return func(_ *fakeConn, o *Options) { o.Referrals = NewReferralRewriter(name) }
}

func referralStub(t testing.TB, server string) []byte {
	t.Helper()
	stub, err := rfri.AppendAnswer(nil, rfri.Answer{Opnum: rfri.OpnumGetFQDNFromServerDN,
		Server: rfri.Name{Inner: 0x1234ac, Text: server}}, rfri.NDR, rpcparse.LittleEndian)
	return must(t, stub, err)
}

// serverIn returns which server an answer names, as its client reads it.
func serverIn(t testing.TB, r rpc, pdu []byte) string {
	t.Helper()
	if r.sec != nil {
		pdu = r.sec.open(rpcparse.ServerToClient, pdu)
	}
	x, err := rpcparse.ParseResponse(pdu)
	if err != nil {
		t.Fatal(err)
	}
	a, err := rfri.ParseAnswer(r.opnum, x.Stub, rfri.NDR, x.Order())
	if err != nil {
		t.Fatalf("%x: %v", x.Stub, err)
	}
	return a.Server.Text
}

func TestReferralsLeadBackToTheProxyWhereTheyCan(t *testing.T) {
	const elsewhere = "dc7.corp.example"
	for name, tc := range map[string]struct {
		level  rpcparse.AuthLevel
		keys   bool
		name   string // of the proxy
		server string
		want   string
		result ReferralResult // empty: not reported
		reason string
	}{
		"cleartext":             {0, false, proxyName, elsewhere, proxyName, ReferralRewritten, ""},
		"connect":               {rpcparse.LevelConnect, false, proxyName, elsewhere, proxyName, ReferralRewritten, ""},
		"signed with keys":      {rpcparse.LevelIntegrity, true, proxyName, elsewhere, proxyName, ReferralRewritten, ""},
		"sealed with keys":      {rpcparse.LevelPrivacy, true, proxyName, elsewhere, proxyName, ReferralRewritten, ""},
		"signed":                {rpcparse.LevelIntegrity, false, proxyName, elsewhere, elsewhere, ReferralElsewhere, referralSigned},
		"sealed":                {rpcparse.LevelPrivacy, false, proxyName, elsewhere, elsewhere, ReferralProtected, ""},
		"without a name":        {0, false, "", elsewhere, elsewhere, ReferralElsewhere, referralUnnamed},
		"without, sealed, keys": {rpcparse.LevelPrivacy, true, "", elsewhere, elsewhere, ReferralElsewhere, referralUnnamed},
		"no server":             {0, false, proxyName, "", "", "", ""},
		"no server, sealed":     {rpcparse.LevelPrivacy, true, proxyName, "", "", "", ""},
		"same length":           {0, false, proxyName, "gc-other.corp.example", proxyName, ReferralRewritten, ""},
		"a long hostile name":   {0, false, proxyName, "gc1\n\x1b[31m" + strings.Repeat("x", 240), proxyName, ReferralRewritten, ""},
		"to the proxy":          {0, false, proxyName, "GC-proxy.corp.example.", "GC-proxy.corp.example.", "", ""},
		"to the proxy, sealed":  {rpcparse.LevelPrivacy, true, proxyName, proxyName, proxyName, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			if tc.keys {
				s.deps.Keys = keyring{keytabKeys{}}
			}
			d := s.connect(referring(tc.name))
			call := rpc{ctx: ctxReferral, opnum: rfri.OpnumGetFQDNFromServerDN}
			if tc.level != 0 {
				call.sec = alice(t, tc.level)
			}
			d.bound(call.sec)
			const calls = 3
			for call.id = 2; call.id < 2+calls; call.id++ {
				d.client(call.request(t, make([]byte, 32)))
				sent := call.response(t, referralStub(t, tc.server))
				d.server(sent)
				got := d.atClient()
				if len(got) != 1 {
					t.Fatalf("the client has %d PDUs; closed: %v", len(got), d.err)
				}
				if tc.result != ReferralRewritten && !bytes.Equal(got[0], sent) {
					t.Errorf("the answer does not pass as it was sent:\n%x\n%x", got[0], sent)
				}
				if server := serverIn(t, call, got[0]); server != tc.want {
					t.Errorf("the client is referred to %q, want %q", server, tc.want)
				}
			}
			all := eventsOf[Referral](s.events)
			if tc.result == "" && len(all) > 0 || tc.result != "" && (len(all) != calls || all[0].Result != tc.result || all[0].Reason != tc.reason) {
				t.Errorf("reported %+v", all)
			}
			for _, pdu := range d.atServer() {
				if call.sec != nil {
					call.sec.open(rpcparse.ClientToServer, pdu)
				}
			}
			d.exchanged(rpc{id: 20, ctx: ctxOther, sec: call.sec}, make([]byte, 16), make([]byte, 16))
			h := nspiBind(21, call.sec)
			d.granted(h, handle(1))
		})
	}
}

// A name that would make the PDU larger than was agreed is not put into it, and the
// context that it was opened under goes on as if nothing had been tried.
func TestRewrittenReferralIsNeverLargerThanAFragment(t *testing.T) {
	for _, level := range []rpcparse.AuthLevel{0, rpcparse.LevelPrivacy} {
		s := newSite(t)
		s.deps.Keys = keyring{keytabKeys{}}
		d := s.connect(referring(string(bytes.Repeat([]byte("x"), 250))))
		call := rpc{id: 2, ctx: ctxReferral, opnum: rfri.OpnumGetFQDNFromServerDN}
		if level != 0 {
			call.sec = alice(t, level)
		}
		var verifier *rpcparse.Verifier
		var challenge []byte
		if call.sec != nil {
			v := call.sec.verifier(call.sec.negotiate())
			verifier = &v
			challenge = call.sec.challenge(v.Token)
		}
		d.client(bindPDU(t, rpcparse.PTypeBind, 1, 0, verifier))
		if call.sec != nil {
			v := call.sec.verifier(challenge)
			verifier = &v
		}
		ack := ackPDU(t, rpcparse.PTypeBindAck, 1, 0x41, verifier)
		rpcparse.LittleEndian.PutUint16(ack[16:], 200) // max_xmit_frag
		d.server(ack)
		if call.sec != nil {
			d.client(auth3PDU(t, 1, call.sec.verifier(call.sec.authenticate(challenge))))
		}
		d.client(call.request(t, make([]byte, 32)))
		sent := call.response(t, referralStub(t, "dc7"))
		d.atClient()
		d.server(sent)
		d.wantAtClient(sent)
		if all := eventsOf[Referral](s.events); len(all) != 1 || all[0].Result != ReferralElsewhere || all[0].Reason != referralTooLarge || all[0].Server != "dc7" {
			t.Errorf("level %v: reported %+v", level, all)
		}
		if call.sec != nil {
			call.sec.open(rpcparse.ServerToClient, sent)
			call.id++
			d.client(call.request(t, make([]byte, 32)))
			for _, pdu := range d.atServer()[2:] {
				call.sec.open(rpcparse.ClientToServer, pdu)
			}
			d.server(call.response(t, referralStub(t, "dc8")))
			if server := serverIn(t, call, d.atClient()[0]); server != "dc8" {
				t.Errorf("the next answer names %q", server)
			}
		}
	}
}

// With an error the server is undefined.
func TestReferralThatFailedPasses(t *testing.T) {
	s := newSite(t)
	d := s.connect(referring(proxyName))
	d.bound(nil)
	call := rpc{id: 2, ctx: ctxReferral, opnum: rfri.OpnumGetFQDNFromServerDN}
	stub, err := rfri.AppendAnswer(nil, rfri.Answer{Opnum: call.opnum, Server: rfri.Name{Inner: 1, Text: "dc7"}, Code: uint32(nspi.NotFound)},
		rfri.NDR, rpcparse.LittleEndian)
	d.exchanged(call, nil, must(t, stub, err))
	if all := eventsOf[Referral](s.events); len(all) != 0 {
		t.Errorf("reported %+v", all)
	}
}

// What cannot be read, or belongs together and did not come so, passes as it was
// sent, and the report names the mistake.
func TestReferralsThatCannotBeReadPassAsTheyWereSent(t *testing.T) {
	stub := referralStub(t, "gc1")
	for name, tc := range map[string]struct {
		stub  []byte
		n     int
		field string
	}{
		"in fragments":    {stub, 2, "referral_fragments"},
		"cut short":       {stub[:len(stub)-5], 1, "server"},
		"longer":          {append(slices.Clone(stub), 0), 1, "stub_length"},
		"empty":           {nil, 1, "server"},
		"endless":         {append(bytes.Clone(stub[:4]), "\xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff"...), 1, "server"},
		"without its NUL": {bytes.Replace(stub, []byte("gc1\x00"), []byte("gc11"), 1), 1, "server"},
		"NUL in the name": {bytes.Replace(stub, []byte("gc1\x00"), []byte("g\x001\x00"), 1), 1, "server"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			d := s.connect(referring(proxyName))
			d.bound(nil)
			call := rpc{id: 2, ctx: ctxReferral, opnum: rfri.OpnumGetFQDNFromServerDN}
			d.client(call.request(t, nil))
			sent := fragmentsOf(t, call, tc.stub, tc.n)
			d.server(sent...)
			d.wantAtClient(sent...)
			all := eventsOf[Referral](s.events)
			var e *rpcparse.Error
			if len(all) != 1 || all[0].Result != ReferralMalformed || !errors.As(all[0].Err, &e) || e.Name != tc.field {
				t.Errorf("reported %+v, want %s", all, tc.field)
			}
			d.wantOpen()
		})
	}
}
