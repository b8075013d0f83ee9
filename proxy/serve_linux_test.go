package proxy

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/proxy/inspect"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

var nspiInterface = nspi.Interface

// withEcho binds NSPI and the echo interface.
func withEcho(o client.Options) client.Options {
	o.Contexts = []rpcparse.ContextElement{
		client.Context(0, nspi.Interface, rpcparse.SyntaxNDR),
		client.Context(1, simdc.EchoInterface, rpcparse.SyntaxNDR),
	}
	return o
}

var echoContext uint16 = 1

// fill opens sessions up to the limit of three.
func fill(t *testing.T, c *client.Conn) (handles []nspi.Handle) {
	t.Helper()
	for range 3 {
		h, err := c.NspiBind()
		if err != nil {
			t.Fatal(err)
		}
		handles = append(handles, h)
	}
	return handles
}

func TestBindIsRefusedAtTheLimitAndGrantedAfterAnUnbind(t *testing.T) {
	for name, tc := range map[string]client.Options{
		"cleartext NDR":        {},
		"cleartext NDR64":      {Transfer: rpcparse.SyntaxNDR64},
		"cleartext big-endian": {Order: rpcparse.BigEndian},
		"NTLM connect":         as(rpcparse.LevelConnect),
		"NTLM connect, dummy verifiers": {Security: &client.Security{Level: rpcparse.LevelConnect, Domain: "LAB", User: alice,
			Password: alicePassword, DummyVerifiers: true}},
		"SPNEGO NTLM connect": {Security: &client.Security{Type: rpcparse.AuthSPNEGO, Level: rpcparse.LevelConnect, Domain: "LAB", User: alice, Password: alicePassword}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, nil)
			c := s.dial(tc)
			handles := fill(t, c)
			for range 3 {
				if _, err := c.NspiBind(); !client.IsCode(err, nspi.LogonFailed) {
					t.Fatalf("over the limit: %v", err)
				}
			}
			s.wantSessions(3)
			s.wantReachedDC(3)
			if err := c.NspiUnbind(handles[1]); err != nil {
				t.Fatal(err)
			}
			if _, err := c.NspiBind(); err != nil {
				t.Fatalf("after an unbind: %v", err)
			}
			c.Close()
			s.wantSessions(0)
		})
	}
}

// TestSessionsAreCountedAtTheServersEndpoint: association ids are numbered by each
// endpoint of a domain controller by itself.
func TestSessionsAreCountedAtTheServersEndpoint(t *testing.T) {
	s := newStage(t, nil)
	if _, err := s.dial(client.Options{}).NspiBind(); err != nil {
		t.Fatal(err)
	}
	s.wantSessions(1)
	for _, held := range s.proxy.Sessions().Snapshot() {
		if want := s.dc.NSPIAddr().String(); held.Endpoint != want {
			t.Errorf("the session is counted at %q, want %q", held.Endpoint, want)
		}
	}
}

func TestProtectedConnectionLivesOnAfterARefusal(t *testing.T) {
	for _, level := range []rpcparse.AuthLevel{rpcparse.LevelPacket, rpcparse.LevelIntegrity, rpcparse.LevelPrivacy} {
		for _, mechanism := range []rpcparse.AuthType{rpcparse.AuthNTLM, rpcparse.AuthSPNEGO} {
			t.Run(fmt.Sprint(level, " ", mechanism), func(t *testing.T) {
				s := newStage(t, nil)
				o := as(level)
				o.Security.Type = mechanism
				c := s.dial(withEcho(o))
				handles := fill(t, c)
				if _, err := c.NspiBind(); !client.IsFault(err, rpcparse.StatusAccessDenied) {
					t.Fatalf("over the limit: %v", err)
				}
				s.wantReachedDC(3)
				fresh := as(level).Security
				fresh.Type, fresh.ID = mechanism, 7
				if err := c.AlterContext(fresh, client.Context(0, nspi.Interface, rpcparse.SyntaxNDR)); err != nil {
					t.Fatalf("a new security context on the same connection: %v", err)
				}
				c.Security = fresh
				if err := c.NspiUnbind(handles[0]); err != nil {
					t.Fatalf("unbind under it: %v", err)
				}
				if _, err := c.NspiBind(); err != nil {
					t.Fatalf("after an unbind: %v", err)
				}
				c.Close()
				s.wantSessions(0)
			})
		}
	}
}

func TestRefusalIsReportedOnceWithItsCause(t *testing.T) {
	s := newStage(t, nil)
	c := s.dial(as(rpcparse.LevelConnect))
	fill(t, c)
	for range 10 {
		_, _ = c.NspiBind()
	}
	s.eventually("a record", func() bool { return len(s.log.events("limit.reject")) == 1 })
	r := s.log.events("limit.reject")[0]
	for field, want := range map[string]any{"event_id": 2820.0, "user": `LAB\alice`, "assurance": "claimed", "backend": "dc1",
		"current": 3.0, "limit": 3.0, "rule": policy.DefaultRule, "answer": string(inspect.AnswerLogonFailed), "client": c.Local().String()} {
		if r[field] != want {
			t.Errorf("%s = %v, want %v", field, r[field], want)
		}
	}
}

func TestDryRunForwardsAndReports(t *testing.T) {
	s := newStage(t, func(_ *simdc.Config, p *policy.Config) { p.Policy.DryRun = true })
	c := s.dial(as(rpcparse.LevelConnect))
	fill(t, c)
	if _, err := c.NspiBind(); err != nil {
		t.Fatalf("over the limit in a dry run: %v", err)
	}
	s.wantSessions(4)
	s.eventually("a record", func() bool {
		e := s.log.events("limit.reject")
		return len(e) == 1 && e[0]["dry_run"] == true
	})
}

func TestSessionsSurviveTheLossOfOneConnectionAndEndWithTheLast(t *testing.T) {
	s := newStage(t, nil)
	first := s.dial(as(rpcparse.LevelConnect))
	h, err := first.NspiBind()
	if err != nil {
		t.Fatal(err)
	}
	joining := func() client.Options {
		o := as(rpcparse.LevelConnect)
		o.Group = first.Group
		return o
	}
	second, third := s.dial(joining()), s.dial(joining())
	first.Reset()
	time.Sleep(20 * time.Millisecond)
	s.wantSessions(1)
	if err := second.NspiUnbind(h); err != nil {
		t.Fatalf("unbind on another connection of the association: %v", err)
	}
	s.wantSessions(0)
	fill(t, third)
	second.Close()
	s.wantSessions(3)
	third.Reset()
	s.wantSessions(0)
}

func TestLimitHoldsAmongConnectionsThatBindAtOnce(t *testing.T) {
	s := newStage(t, nil)
	var conns []*client.Conn
	for range 40 {
		conns = append(conns, s.dial(as(rpcparse.LevelConnect)))
	}
	granted := make(chan bool, len(conns))
	for _, c := range conns {
		go func() {
			_, err := c.NspiBind()
			granted <- err == nil
		}()
	}
	n := 0
	for range conns {
		if <-granted {
			n++
		}
	}
	if n != 3 {
		t.Errorf("%d granted, the limit is 3", n)
	}
	s.wantSessions(3)
	s.wantReachedDC(3)
}

func TestSlotsAreFreeWhenTheDomainControllerDies(t *testing.T) {
	s := newStage(t, nil)
	c := s.dial(as(rpcparse.LevelConnect))
	fill(t, c)
	s.dc.Kill()
	s.eventually("no slot", func() bool { return s.proxy.table.Count().Sessions == 0 })
	if _, _, err := c.ReadPDU(); err == nil {
		t.Error("the client was not told")
	}
}

func TestResetInTheMiddleOfABindLeavesNoSlot(t *testing.T) {
	s := newStage(t, nil)
	for cut := 1; cut < 84; cut += 7 {
		c := s.dial(as(rpcparse.LevelConnect))
		pdus, _, err := c.Encode(client.Request{Opnum: nspi.OpnumBind, Stub: c.BindRequest()})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Write(pdus[0][:cut]); err != nil {
			t.Fatal(err)
		}
		c.Reset()
	}
	s.wantSessions(0)
	s.eventually("no connection", func() bool { return s.proxy.table.Count().Connections == 0 })
}

func TestEndpointMapperAnswersPointToTheProxy(t *testing.T) {
	s := newStage(t, func(dc *simdc.Config, _ *policy.Config) { dc.MorePorts = 3 })
	front := s.proxy.config.Listeners[0].Address
	for name, o := range map[string]client.Options{
		"NDR": {}, "NDR64": {Transfer: rpcparse.SyntaxNDR64}, "big-endian": {Order: rpcparse.BigEndian},
		"connect": as(rpcparse.LevelConnect), "fragments": {MaxFragment: rpcparse.MinFragment},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := client.DialEPM(s.mapper, o)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			mapped, err := c.Map(nspi.Interface, 4)
			if err != nil || len(mapped) < 4 {
				t.Fatalf("ept_map: %d towers, %v", len(mapped), err)
			}
			listed, err := c.Lookup(500)
			if err != nil || len(listed) < 8 {
				t.Fatalf("ept_lookup: %d towers, %v", len(listed), err)
			}
			for _, e := range slices.Concat(mapped, listed) {
				if e.Address != front {
					t.Fatalf("a client that connects to the address in the answer goes to %v", e.Address)
				}
				c, err := client.Connect(netip.AddrPortFrom(front, e.Port).String(), netip.Addr{})
				if err != nil {
					t.Fatalf("port %d, which the answer names, is not open at the proxy: %v", e.Port, err)
				}
				c.Close()
			}
		})
	}
}

func TestSignedEndpointMapperAnswersPassAndAreCounted(t *testing.T) {
	s := newStage(t, nil)
	c, err := client.DialEPM(s.mapper, as(rpcparse.LevelIntegrity))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if mapped, err := c.Map(nspi.Interface, 4); err != nil || len(mapped) == 0 || mapped[0].Port != s.dc.NSPIAddr().Port() {
		t.Errorf("%v, %v", mapped, err)
	}
	s.eventually("a note", func() bool { return len(s.log.events("endpoint.protected")) == 1 })
}

// The proxy knows where NSPI is before any client asks. So it listens there, and a client whose answer it cannot read is
// limited like any.
func TestPortsThatTheProxyHasLearntAreOpenUnderTheirNumbers(t *testing.T) {
	var quiet netip.Addr // of a listener whose answers the proxy cannot read
	s := newStage(t, func(dc *simdc.Config, c *policy.Config) {
		dc.MorePorts = 1
		front := c.Listeners[0]
		front.Name, front.Address = "quiet", front.Address.Next()
		c.Listeners, quiet = append(c.Listeners, front), front.Address
	})
	c, err := client.DialEPM(netip.AddrPortFrom(quiet, s.dc.EPMAddr().Port()).String(), as(rpcparse.LevelPrivacy))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	mapped, err := c.Map(nspi.Interface, 4)
	if err != nil || len(mapped) != 2 {
		t.Fatalf("%v, %v", mapped, err)
	}
	for _, e := range mapped {
		at := netip.AddrPortFrom(quiet, e.Port).String()
		s.eventually("the port is open at the proxy", func() bool {
			tcp, err := client.Connect(at, netip.Addr{})
			if err == nil {
				tcp.Close()
			}
			return err == nil
		})
		s.address = at
		for range 2 {
			_, _ = s.dial(as(rpcparse.LevelConnect)).NspiBind()
		}
	}
	s.wantSessions(3)
}

func TestOtherTrafficPassesByteForByte(t *testing.T) {
	for _, level := range []rpcparse.AuthLevel{rpcparse.LevelConnect, rpcparse.LevelIntegrity, rpcparse.LevelPrivacy} {
		t.Run(level.String(), func(t *testing.T) {
			s := newStage(t, nil)
			c := s.dial(withEcho(as(level)))
			c.ContextID = echoContext
			for _, n := range []int{1, 15, 16, 1000, 5839, 5840, 5841, 70_000, 200_000} {
				want := simdc.EchoPattern(n)
				got, err := c.Call(simdc.EchoOpnum, want)
				if err != nil || !bytes.Equal(got, want) {
					t.Fatalf("%d bytes: %d came back, %v", n, len(got), err)
				}
			}
		})
	}
}

func TestOtherProtocolsAreClosedOrPassedAsConfigured(t *testing.T) {
	for mode, want := range map[policy.NonRPC]string{policy.NonRPCClose: "connection.closed", policy.NonRPCPass: "traffic.not_rpc"} {
		t.Run(string(mode), func(t *testing.T) {
			s := newStage(t, func(_ *simdc.Config, p *policy.Config) { p.Relay.NonRPC = mode })
			c, err := client.Connect(s.address, netip.Addr{})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if err := c.Write([]byte("GET / HTTP/1.1\r\n\r\n")); err != nil {
				t.Fatal(err)
			}
			if _, err := c.TCP.Read(make([]byte, 1)); err == nil {
				t.Error("an answer")
			}
			s.eventually("a record", func() bool { return len(s.log.events(want)) == 1 })
		})
	}
}

func TestShutdownEndsLiveConnectionsAtItsDeadline(t *testing.T) {
	s := newStage(t, func(_ *simdc.Config, p *policy.Config) { p.Relay.ShutdownTimeout = 50 * time.Millisecond })
	c := s.dial(as(rpcparse.LevelConnect))
	fill(t, c)
	_ = s.proxy.group.Shutdown(expired())
	if _, _, err := c.ReadPDU(); err == nil {
		t.Error("the connection is still open")
	}
	s.wantSessions(0)
	if _, err := client.Connect(s.address, netip.Addr{}); err == nil {
		t.Error("a new connection was accepted")
	}
}
