package probe_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
	"github.com/nspiproxy/nspiproxy/proxy/probe"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/tower"
)

// tamper is what somebody between the probe and a server does in place of the
// server's n-th PDU. It returns false to end the connection.
type tamper func(c *net.TCPConn, pdu []byte) bool

// between starts somebody between who lets the first n PDUs of the server's
// pass, and does f to the next. What comes later is passed on. A second
// connection of the probe is left alone.
func between(t testing.TB, server netip.AddrPort, n int, f tamper) uint16 {
	first := make(chan bool, 1)
	first <- true
	return serve(t, func(client *net.TCPConn) {
		up, err := net.DialTCP("tcp", nil, net.TCPAddrFromAddrPort(server))
		if err != nil {
			return
		}
		defer up.Close()
		go func() { eofTo(up, client); _ = up.CloseWrite() }()
		mine := false
		select {
		case mine = <-first:
		default:
		}
		passOn(client, up, func(i int) bool { return mine && i == n }, f)
	}).Port()
}

// eofTo copies from one connection to another until its end.
func eofTo(to, from *net.TCPConn) { _, _ = to.ReadFrom(from) }

// passOn passes the server's PDUs on, but does f to the i-th where pick says so.
func passOn(client, up *net.TCPConn, pick func(i int) bool, f tamper) {
	framer := rpcparse.Framer{Dir: rpcparse.ServerToClient}
	var buf []byte
	chunk := make([]byte, 65536)
	for i := 0; ; {
		pdu, _, err := framer.Next(buf)
		if err != nil {
			return
		}
		if pdu == nil {
			k, err := up.Read(chunk)
			if err != nil {
				return
			}
			buf = append(buf, chunk[:k]...)
			continue
		}
		buf = append([]byte(nil), buf[len(pdu):]...)
		if pick(i) {
			if !f(client, pdu) {
				return
			}
		} else if _, err := client.Write(pdu); err != nil {
			return
		}
		i++
	}
}

// send is a tamper that sends something instead.
func send(change func(pdu []byte) []byte) tamper {
	return func(c *net.TCPConn, pdu []byte) bool {
		_, err := c.Write(change(bytes.Clone(pdu)))
		return err == nil
	}
}

// set changes bytes of a PDU.
func set(offset int, b ...byte) func([]byte) []byte {
	return func(pdu []byte) []byte {
		if offset < 0 {
			offset += len(pdu)
		}
		copy(pdu[min(offset, len(pdu)):], b)
		return pdu
	}
}

// endlessly sends what PDU makes until the probe hangs up.
func endlessly(pdu func([]byte) []byte) tamper {
	return func(c *net.TCPConn, p []byte) bool {
		for {
			if _, err := c.Write(pdu(bytes.Clone(p))); err != nil {
				return false
			}
		}
	}
}

// tampers is what hostile or broken servers do, by name. All of them must fail
// the probe, but for a byte order that it reads.
func tampers() map[string]tamper {
	return map[string]tamper{
		"FIN":                      func(*net.TCPConn, []byte) bool { return false },
		"RST":                      func(c *net.TCPConn, _ []byte) bool { _ = c.SetLinger(0); return false },
		"half, then FIN":           func(c *net.TCPConn, p []byte) bool { _, _ = c.Write(p[:len(p)/2]); return false },
		"HTTP":                     send(func([]byte) []byte { return []byte("HTTP/1.1 400 Bad Request\r\n\r\n") }),
		"zeros":                    send(func(p []byte) []byte { return make([]byte, 4*len(p)) }),
		"frag_length 0":            send(set(8, 0, 0)),
		"frag_length 15":           send(set(8, 15, 0)),
		"auth_length 65535":        send(set(10, 255, 255)),
		"auth_length too large":    send(func(p []byte) []byte { return set(10, byte(len(p)), byte(len(p)>>8))(p) }),
		"another call":             send(set(12, 0xff, 0xff, 0xff, 0x7f)),
		"a request":                send(set(2, byte(rpcparse.PTypeRequest))),
		"shutdown":                 send(func([]byte) []byte { return []byte{5, 0, 17, 3, 16, 0, 0, 0, 16, 0, 0, 0, 1, 0, 0, 0} }),
		"rts":                      send(set(2, byte(rpcparse.PTypeRTS))),
		"big-endian":               send(bigEndian),
		"VAX floats":               send(set(5, 1)),
		"a first fragment":         send(set(3, byte(rpcparse.FlagFirstFrag))),
		"a last fragment":          send(set(3, byte(rpcparse.FlagLastFrag))),
		"endless first fragments":  endlessly(set(3, byte(rpcparse.FlagFirstFrag))),
		"endless middle fragments": endlessly(set(3, 0)),
		"endless zeros":            endlessly(func([]byte) []byte { return make([]byte, 1<<20) }),
		"endless answers":          endlessly(set(12, 0, 0, 0, 0)),
		"a fault of status 0":      send(func(p []byte) []byte { return fault(p, 0) }),
		"a fault":                  send(func(p []byte) []byte { return fault(p, rpcparse.StatusServerTooBusy) }),
		"a bare header":            send(func(p []byte) []byte { return set(8, 16, 0, 0, 0)(p[:16]) }),
		"the fixed part alone":     send(func(p []byte) []byte { return set(8, 24, 0, 0, 0)(p[:24]) }),
		"the largest of all": send(func(p []byte) []byte {
			return append(set(8, 0xff, 0xff)(p), make([]byte, 0xffff-len(p))...)
		}),
	}
}

// bigEndian turns the integers of the header around, and says so.
func bigEndian(pdu []byte) []byte {
	slices.Reverse(pdu[8:10])
	slices.Reverse(pdu[10:12])
	slices.Reverse(pdu[12:16])
	return set(4, 0)(pdu)
}

// fault is a fault in answer to what pdu answers.
func fault(pdu []byte, status uint32) []byte {
	h := rpcparse.Header{Flags: rpcparse.FlagsWhole, Drep: rpcparse.DrepLittleEndian, CallID: binary.LittleEndian.Uint32(pdu[12:])}
	b, err := rpcparse.AppendFault(nil, rpcparse.Fault{Header: h, AllocHint: 32, Status: status})
	if err != nil {
		panic(err)
	}
	return b
}

// enough is more than a probe allocates, in bytes, with all that runs beside it
// in the test.
const enough = 16 << 20

// waitFor is how long a probe may take. Of a first fragment the rest is waited for.
func waitFor(what string) time.Duration {
	if what == "a first fragment" {
		return time.Second
	}
	return settle
}

// TestHostileServersFailTheProbeAndNothingElse does to each PDU of a probe all
// that tampers has. The session ends in any case.
func TestHostileServersFailTheProbeAndNothingElse(t *testing.T) {
	dc := start(t, simdc.Config{AnonymousBind: true})
	for way, target := range map[string]probe.Target{
		"none": at(dc), "ntlm privacy": ntlm(t, at(dc), probe.LevelPrivacy), "ntlm integrity": ntlm(t, at(dc), probe.LevelIntegrity),
	} {
		pdus := 4 // bind_ack and three answers
		if way != "none" {
			pdus = 5 // and alter_context_resp
		}
		for n := range pdus {
			for what, f := range tampers() {
				t.Run(fmt.Sprintf("%s/PDU %d/%s", way, n, what), func(t *testing.T) {
					target := target
					target.EPMPort, target.NSPIPort = 0, between(t, dc.NSPIAddr(), n, f)
					target.Timeout = waitFor(what)
					allocates(t, enough, func() {
						r := probe.Run(t.Context(), target)
						if what == "big-endian" && r.Outcome == probe.OutcomeOK {
							return // what is turned around there is read, or has no meaning
						}
						if r.Outcome.Good() || r.Err == "" || r.Outcome == probe.OutcomeRefusedLimit {
							t.Errorf("%s: %q", r.Outcome, r.Err)
						}
					})
					noSession(t, dc)
				})
			}
		}
	}
}

// TestHostileEndpointMapperFailsTheProbe: the same, before NSPI.
func TestHostileEndpointMapperFailsTheProbe(t *testing.T) {
	dc := start(t, simdc.Config{AnonymousBind: true})
	for n := range 2 {
		for what, f := range tampers() {
			target := at(dc)
			target.EPMPort, target.Timeout = between(t, dc.EPMAddr(), n, f), waitFor(what)
			allocates(t, enough, func() {
				r := probe.Run(t.Context(), target)
				check(t, r, probe.OutcomeFailed, "epm_connect EPT_MAP")
				if t.Failed() {
					t.Fatalf("PDU %d, %s", n, what)
				}
			})
		}
	}
}

// TestServersThatFallSilentFailTheProbeInTime, wherever in a PDU they do.
func TestServersThatFallSilentFailTheProbeInTime(t *testing.T) {
	dc := start(t, simdc.Config{AnonymousBind: true})
	for what, f := range map[string]tamper{
		"nothing": func(*net.TCPConn, []byte) bool { return true },
		"half":    func(c *net.TCPConn, p []byte) bool { _, err := c.Write(p[:len(p)/2]); return err == nil },
		"a byte":  func(c *net.TCPConn, p []byte) bool { _, err := c.Write(p[:1]); return err == nil },
	} {
		for n := range 3 {
			target := at(dc)
			target.NSPIPort, target.EPMPort, target.Timeout = between(t, dc.NSPIAddr(), n, f), 0, 100*time.Millisecond
			r := probe.Run(t.Context(), target)
			if r.Outcome != probe.OutcomeFailed || !strings.HasSuffix(r.Err, "no answer in time") {
				t.Errorf("%s of PDU %d: %s: %s", what, n, r.Outcome, r.Err)
			}
			noSession(t, dc)
		}
	}
}

// answer is a tamper that answers a call with another stub.
func answer(stub []byte) tamper {
	return send(func(pdu []byte) []byte {
		r := rpcparse.Response{Stub: stub, AllocHint: uint32(len(stub))}
		r.Header = rpcparse.Header{Flags: rpcparse.FlagsWhole, Drep: rpcparse.DrepLittleEndian, CallID: binary.LittleEndian.Uint32(pdu[12:])}
		b, err := rpcparse.AppendResponse(nil, r)
		if err != nil {
			panic(err)
		}
		return b
	})
}

// stub concatenates u32 and bytes.
func stub(parts ...any) []byte {
	var b []byte
	for _, p := range parts {
		switch p := p.(type) {
		case int:
			b = binary.LittleEndian.AppendUint32(b, uint32(p))
		case uint32:
			b = binary.LittleEndian.AppendUint32(b, p)
		case []byte:
			b = append(b, p...)
		}
	}
	return b
}

// TestBadTowersFailTheProbe, all ways in which an answer of the endpoint mapper lies
// about their size.
func TestBadTowersFailTheProbe(t *testing.T) {
	handle := make([]byte, tower.HandleSize)
	good := tower.BuildTCP(nspi.Interface, rpcparse.SyntaxNDR, 49677, netip.MustParseAddr("10.0.0.1"))
	one := func(octets []byte) []byte {
		pad := make([]byte, -len(octets)&3)
		return stub(handle, 1, 16, 0, 1, 3, len(octets), len(octets), octets, pad, 0)
	}
	dc := start(t, simdc.Config{})
	for what, s := range map[string][]byte{
		"none":                   stub(handle, 0, 16, 0, 0, 0),
		"not registered":         stub(handle, 0, 16, 0, 0, 0x16c9a0d6),
		"65535 floors":           one([]byte{0xff, 0xff}),
		"65535 floors and one":   one(append([]byte{0xff, 0xff}, good[2:]...)),
		"no port":                one(append(append(bytes.Clone(good[:62]), 0, 0), good[66:]...)),
		"port 0":                 one(append(append(bytes.Clone(good[:64]), 0, 0), good[66:]...)),
		"length over the end":    stub(handle, 1, 16, 0, 1, 3, len(good), 0x7fffffff, good, 0),
		"length over 2000":       stub(handle, 1, 16, 0, 1, 3, 2001, 2001, make([]byte, 2004), 0),
		"more than there may be": stub(handle, 17, 16, 0, 17),
		"2^32-1 towers":          stub(handle, -1, -1, 0, -1),
		"counts differ":          stub(handle, 2, 16, 0, 1, 3, len(good), len(good), good, 0, 0),
		"an offset":              stub(handle, 1, 16, 1, 1, 3, len(good), len(good), good, 0, 0),
		"another interface":      one(tower.BuildTCP(tower.EPMInterface, rpcparse.SyntaxNDR, 135, netip.MustParseAddr("10.0.0.1"))),
		"nothing at all":         nil,
		"a byte too few":         one(good)[:127],
	} {
		target := at(dc)
		target.EPMPort = between(t, dc.EPMAddr(), 1, answer(s))
		allocates(t, enough, func() {
			r := probe.Run(t.Context(), target)
			if r.Outcome != probe.OutcomeFailed || steps(r) != "epm_connect EPT_MAP" {
				t.Errorf("%s: %s after %s", what, r.Outcome, steps(r))
			}
		})
	}
	target := at(dc)
	target.EPMPort = between(t, dc.EPMAddr(), 1, answer(one(good)))
	if r := probe.Run(t.Context(), target); r.NSPIPort != 49677 || r.Outcome != probe.OutcomeUnreachable {
		t.Errorf("a good tower: %s: %s", r.Outcome, r.Err)
	}
}

// TestBadStubsFailTheProbe: of every answer, those of another size, and those
// whose pointers do not fit their size.
func TestBadStubsFailTheProbe(t *testing.T) {
	session := append([]byte{0, 0, 0, 0}, bytes.Repeat([]byte{7}, 16)...)
	dc := start(t, simdc.Config{AnonymousBind: true})
	for n, stubs := range map[int]map[string][]byte{
		1: {
			"empty": {}, "a byte": {1}, "too long": make([]byte, 45), "a bomb": bytes.Repeat([]byte{0x7f}, 146),
			"a pointer to nothing": stub(3, session, 0), "no pointer and a GUID": stub(0, make([]byte, 16), session, 0),
			"no session": stub(0, make([]byte, 20), 0), "a failure": stub(0, make([]byte, 20), uint32(0x8004011e)),
		},
		2: {"empty": {}, "too long": make([]byte, 49), "a failure": stub(make([]byte, 36), 0, uint32(0x80040405)), "a bomb": bytes.Repeat([]byte{0x7f}, 146)},
		3: {"empty": {}, "too long": make([]byte, 25), "a failure": stub(make([]byte, 20), 2)},
	} {
		for what, s := range stubs {
			target := at(dc)
			target.EPMPort, target.NSPIPort = 0, between(t, dc.NSPIAddr(), n, answer(s))
			allocates(t, enough, func() {
				if r := probe.Run(t.Context(), target); r.Outcome != probe.OutcomeFailed || r.Err == "" {
					t.Errorf("PDU %d, %s: %s", n, what, r.Outcome)
				}
			})
			noSession(t, dc)
		}
	}
}

// TestQueryThatNSPIAnswersWithAFailureIsNoSicknessOfTheServer: a forest without
// Exchange has no address book.
func TestQueryThatNSPIAnswersWithAFailureIsNoSicknessOfTheServer(t *testing.T) {
	dc := start(t, simdc.Config{AnonymousBind: true})
	target := at(dc)
	target.NSPIPort, target.EPMPort = between(t, dc.NSPIAddr(), 2, answer(stub(make([]byte, 36), 0, uint32(0x80040405)))), 0
	r := probe.Run(t.Context(), target)
	check(t, r, probe.OutcomeFailed, "nspi_connect rpc_bind nspi_bind QUERY nspi_unbind")
	if got := r.Result(); !got.Serving || got.Err != "query: MAPI_E_INVALID_BOOKMARK" {
		t.Errorf("%+v", got)
	}
	noSession(t, dc)
}

// TestQueryThatFaultsLeavesNoSession: what else the server has sent is unknown, so
// the unbind takes another connection of the association.
func TestQueryThatFaultsLeavesNoSession(t *testing.T) {
	dc := start(t, simdc.Config{})
	for _, level := range []probe.Level{probe.LevelConnect, probe.LevelPrivacy} {
		target := ntlm(t, at(dc), level)
		busy := send(func(p []byte) []byte { return fault(p, rpcparse.StatusServerTooBusy) })
		target.NSPIPort, target.EPMPort = between(t, dc.NSPIAddr(), 3, busy), 0
		unbinds := dc.Requests()[nspi.OpnumUnbind]
		r := probe.Run(t.Context(), target)
		check(t, r, probe.OutcomeFailed, "nspi_connect rpc_bind nspi_bind QUERY nspi_unbind")
		if r.Err != "query: fault server_too_busy" || r.Result().Serving {
			t.Errorf("%+v", r.Result())
		}
		if dc.TotalSessions() != 0 || dc.Requests()[nspi.OpnumUnbind] != unbinds+1 {
			t.Errorf("%d sessions left", dc.TotalSessions())
		}
	}
}

// TestAlteredAnswersFailTheProbe: at levels that sign, one bit is enough, in the
// header, the stub, or the signature.
func TestAlteredAnswersFailTheProbe(t *testing.T) {
	dc := start(t, simdc.Config{})
	for _, level := range []probe.Level{probe.LevelPacket, probe.LevelIntegrity, probe.LevelPrivacy} {
		for n, step := range map[int]string{2: "nspi_bind", 3: "query", 4: "nspi_unbind"} {
			for what, place := range map[string]int{"alloc_hint": 16, "stub": 26, "signature": -1} {
				target := ntlm(t, at(dc), level)
				flip := send(func(pdu []byte) []byte {
					i := place
					if i < 0 {
						i += len(pdu)
					}
					pdu[i] ^= 0x40
					return pdu
				})
				target.EPMPort, target.NSPIPort = 0, between(t, dc.NSPIAddr(), n, flip)
				r := probe.Run(t.Context(), target)
				if r.Outcome != probe.OutcomeFailed || !strings.HasPrefix(r.Err, step+": ") || !strings.Contains(r.Err, ": auth ntlm_") {
					t.Errorf("%s, %s of %s: %s: %s", level, what, step, r.Outcome, r.Err)
				}
				noSession(t, dc)
			}
		}
	}
}

// TestProbesLeaveNoGoroutineBehind, whatever became of them.
func TestProbesLeaveNoGoroutineBehind(t *testing.T) {
	dc := start(t, simdc.Config{AnonymousBind: true})
	mute := serve(t, eof)
	run := func() {
		silent := ntlm(t, at(dc), probe.LevelPrivacy)
		silent.NSPIPort, silent.EPMPort, silent.Timeout = mute.Port(), 0, 20*time.Millisecond
		noTicket := kerberosAt(t, dc, mute)
		noTicket.Timeout = 20 * time.Millisecond
		for _, target := range []probe.Target{at(dc), ntlm(t, at(dc), probe.LevelPrivacy), silent, noTicket} {
			probe.Run(t.Context(), target)
		}
	}
	run() // whatever is started once
	var before int
	eventually(t, "quiet", func() bool { // the server's goroutines end a little later
		n := runtime.NumGoroutine()
		quiet := n == before
		before = n
		return quiet && dc.TotalSessions() == 0
	})
	for range 5 {
		run()
	}
	eventually(t, "as many goroutines as before", func() bool { return runtime.NumGoroutine() <= before })
}
