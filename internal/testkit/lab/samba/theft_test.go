//go:build lab

package samba

import (
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

const (
	thieves     = 100 // connections at a time
	theftRounds = 4   // how often alice uses all that she may have meanwhile

	// stay is how long thieves wait for answers and between binds: what they would hold, they would hold for as long.
	stay = 300 * time.Millisecond
)

// thief is the address that attacks come from. Alice's clients have another.
var thief = netip.MustParseAddr("127.0.66.1")

// attacks runs one attack over and over on many connections at once, until it
// is ended.
type attacks struct {
	stop    chan struct{}
	running sync.WaitGroup
	made    atomic.Int64 // attacks that got as far as a bind
	granted atomic.Int64 // binds that the domain controller has granted them
}

// attack begins. once reports whether its bind was sent and whether it was granted.
func attack(t *testing.T, connections int, once func() (made, granted bool)) *attacks {
	a := &attacks{stop: make(chan struct{})}
	for range connections {
		a.running.Go(func() { a.repeat(once) })
	}
	t.Cleanup(a.end)
	lab.Eventually(t, lab.SettleTime, "the attack has begun", func() bool { return a.made.Load() >= int64(connections) })
	return a
}

func (a *attacks) repeat(once func() (made, granted bool)) {
	for {
		select {
		case <-a.stop:
			return
		default:
		}
		made, granted := once()
		if made {
			a.made.Add(1)
		}
		if granted {
			a.granted.Add(1)
		}
	}
}

func (a *attacks) end() {
	select {
	case <-a.stop:
	default:
		close(a.stop)
	}
	a.running.Wait()
}

// undisturbed: alice has all of her sessions and not one more, again and again.
func undisturbed(t *testing.T, samba *lab.Samba, proxy *lab.Proxy, l lab.SambaLogin, refusal func(*testing.T, lab.Answer)) {
	t.Helper()
	client := lab.StartSambaClient(t, samba)
	for n := range theftRounds {
		conn := fmt.Sprint("c", n)
		l.Address, l.User = proxy.Front, lab.Alice
		lab.Eventually(t, time.Minute, "she is connected", func() bool { // Samba is busy with the thieves
			return client.Connect(conn, l).OK
		})
		for k := range keysLimit {
			if a := client.Bind(conn); !a.OK {
				m := proxy.Metrics(t)
				t.Fatalf("%s spnego=%t %s, round %d: bind %d, while others claim to be her: %+v; she holds %d, the proxy counts %v held, %v reserved",
					l.Auth, l.SPNEGO, l.Level, n, k, a, samba.Status(t).Sessions, m.Sum("nspiproxy_sessions_held"), m.Sum("nspiproxy_sessions_reserved"))
			}
		}
		refusal(t, client.Bind(conn))
		lab.Expect(t, "close", client.Close(conn))
		lab.Eventually(t, lab.SettleTime, "her sessions have ended, and the thieves have none", func() bool {
			return samba.Status(t).Sessions == 0 && proxy.Metrics(t).Sum("nspiproxy_sessions_held") == 0
		})
	}
}

// nothingHeld: after the attack nobody holds anything, and the thieves had nothing.
func (a *attacks) nothingHeld(t *testing.T, samba *lab.Samba, proxy *lab.Proxy) {
	t.Helper()
	a.end()
	t.Logf("%d attacks", a.made.Load())
	if n := a.granted.Load(); n != 0 {
		t.Errorf("%d binds of the attack were granted", n)
	}
	lab.CheckSambaHeld(t, proxy, samba, 0)
}

// TestClaimsWithAWrongPasswordTakeNothingFromAlice: who only says that it is alice, a hundred times at once, neither holds
// one of her sessions nor keeps her from any. What has no verifier, Samba carries out for nobody in particular when the logon has
// failed: that answer must prove nothing.
func TestClaimsWithAWrongPasswordTakeNothingFromAlice(t *testing.T) {
	samba := lab.StartSamba(t)
	proxy := keyedProxy(t, samba, "127.0.20.63")
	address := proxy.NSPI(t)
	for name, how := range map[string]client.Security{
		"connect":                    {Level: rpcparse.LevelConnect},
		"connect and dummy verifier": {Level: rpcparse.LevelConnect, DummyVerifiers: true},
		"privacy":                    {Level: rpcparse.LevelPrivacy},
	} {
		t.Run(name, func(t *testing.T) {
			theft := attack(t, thieves, func() (made, granted bool) {
				claim := client.Security{Level: how.Level, DummyVerifiers: how.DummyVerifiers, Domain: lab.Domain, User: lab.Alice.Name, Password: "guess"}
				c, err := client.Dial(address, client.Options{Local: thief, Security: &claim})
				if err != nil {
					return false, false
				}
				defer c.Close()
				c.Timeout = stay
				for range 5 {
					if _, err = c.NspiBind(); err == nil {
						return true, true
					}
					time.Sleep(stay)
				}
				return true, false
			})
			for _, l := range []lab.SambaLogin{
				{Auth: "ntlm", Level: "connect"}, {Auth: "ntlm", SPNEGO: true, Level: "privacy"}, {Auth: "kerberos", Level: "privacy"},
			} {
				undisturbed(t, samba, proxy, l, lab.ExpectLogonFailed)
			}
			theft.nothingHeld(t, samba, proxy)
		})
	}
}

// TestReplayedTicketsTakeNothingFromAlice: a recorded handshake names alice by a valid ticket. Who replays it does not know
// the session key, and must not be taken for her before the server says so.
func TestReplayedTicketsTakeNothingFromAlice(t *testing.T) {
	samba := lab.StartSamba(t)
	proxy := keyedProxy(t, samba, "127.0.20.64")
	address := proxy.NSPI(t)
	for _, spnego := range []bool{false, true} {
		for _, level := range []string{"connect", "privacy"} {
			l := lab.SambaLogin{Auth: "kerberos", SPNEGO: spnego, Level: level}
			t.Run(fmt.Sprintf("%s spnego=%t", level, spnego), func(t *testing.T) {
				legs, bind := recordAlice(t, samba, address, l)
				theft := attack(t, thieves, func() (made, granted bool) { return replay(address, legs, bind) })
				undisturbed(t, samba, proxy, lab.SambaLogin{Auth: "kerberos", Level: level}, lab.ExpectLogonFailed)
				theft.nothingHeld(t, samba, proxy)
			})
		}
	}
}

// recordAlice records what a client of alice's sends: the legs of its handshake, and its NspiBind.
func recordAlice(t *testing.T, samba *lab.Samba, address string, l lab.SambaLogin) (legs [][]byte, bind []byte) {
	t.Helper()
	tap := lab.StartTap(t, address)
	l.Address, l.Port, l.User = tap.Address, tap.Port, lab.Alice
	client := lab.StartSambaClient(t, samba)
	lab.Expect(t, "connect", client.Connect("recorded", l))
	lab.Expect(t, "bind", client.Bind("recorded"))
	lab.Expect(t, "close", client.Close("recorded"))
	lab.Eventually(t, lab.SettleTime, "her session has ended", func() bool { return samba.Status(t).Sessions == 0 })
	for _, pdu := range tap.PDUs(t) {
		h, err := rpcparse.ParseHeader(pdu)
		if err != nil {
			t.Fatal(err)
		}
		if h.Type == rpcparse.PTypeRequest {
			return legs, pdu
		}
		legs = append(legs, pdu)
	}
	t.Fatal("no NspiBind was recorded")
	return nil, nil
}

// replay sends a recorded handshake and bind again, on a connection of another address.
func replay(address string, legs [][]byte, bind []byte) (made, granted bool) {
	c, err := client.Connect(address, thief)
	if err != nil {
		return false, false
	}
	defer c.Close()
	for _, leg := range legs {
		if err := c.Write(leg); err != nil {
			return false, false
		}
		if h, err := rpcparse.ParseHeader(leg); err == nil && h.Type != rpcparse.PTypeAuth3 {
			if _, _, err := c.ReadPDU(); err != nil {
				return false, false // the server does not want it
			}
		}
	}
	if err := c.Write(bind); err != nil {
		return false, false
	}
	c.Timeout = stay
	defer time.Sleep(stay)
	pdu, h, err := c.ReadPDU()
	if err != nil || h.Type != rpcparse.PTypeResponse {
		return true, false
	}
	r, err := rpcparse.ParseResponse(pdu)
	if err != nil || r.HasVerifier && r.Verifier.Level > rpcparse.LevelConnect {
		return true, err == nil
	}
	answer, err := nspi.ParseBindResponse(r.Stub, nspi.NDR, rpcparse.LittleEndian)
	return true, err == nil && answer.Code == nspi.Success
}
