package proxy

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/proxy/inspect"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/rfri"
)

// keyedDialects are those in which every PDU is numbered.
func keyedDialects() []dialect {
	return slices.DeleteFunc(dialects(), func(d dialect) bool { return !d.keyed })
}

// From the first rewritten answer on the proxy protects what the server says, and
// from the first refusal on what the client says, too: neither may lose count.
func TestReferralsAndRefusalsShareASecurityContext(t *testing.T) {
	for _, d := range keyedDialects() {
		for _, first := range []string{"referral", "refusal"} {
			t.Run(d.name+", first a "+first, func(t *testing.T) {
				s := referralStage(t, proxyName, true, nil)
				c := s.dial(withReferrals(d.options()))
				if first == "referral" {
					wantReferral(t, c, dnLonger, proxyName)
					exercise(t, c, 3)
				}
				handles := fill(t, c)
				for n := range 3 {
					if _, err := c.NspiBind(); !client.IsCode(err, nspi.LogonFailed) {
						t.Fatalf("over the limit: %v", err)
					}
					wantReferral(t, c, []string{dnLonger, dnShorter, dnSame}[n], proxyName)
					wantReferral(t, c, dnOwn, referredTo[dnOwn])
					exercise(t, c, 3)
				}
				if err := c.NspiUnbind(handles[0]); err != nil {
					t.Fatalf("unbind: %v", err)
				}
				if _, err := c.NspiBind(); err != nil {
					t.Fatalf("after an unbind: %v", err)
				}
				wantReferral(t, c, dnShorter, proxyName)
				s.wantSessions(3)
				s.wantReachedDC(4)
				if n := s.proxy.table.Count().Opaque; n != 0 {
					t.Errorf("%d sessions without a handle", n)
				}
			})
		}
	}
}

func TestNumberingGoesOnAfterManyReferrals(t *testing.T) {
	const calls = 1000
	for _, level := range protectedLevels {
		for _, mechanism := range []rpcparse.AuthType{rpcparse.AuthNTLM, rpcparse.AuthSPNEGO} {
			t.Run(fmt.Sprint(mechanism, " ", level), func(t *testing.T) {
				s := referralStage(t, proxyName, true, nil)
				o := as(level)
				o.Security.Type = mechanism
				c := s.dial(withReferrals(o))
				wantReferral(t, c, dnLonger, proxyName)
				for n := range calls {
					want := simdc.EchoPattern(n * 13 % 1500)
					got, err := c.Do(client.Request{Opnum: simdc.EchoOpnum, Stub: want, ContextID: &echoContext})
					if err != nil || !bytes.Equal(got, want) {
						t.Fatalf("call %d: %d bytes came back, %v", n, len(got), err)
					}
					if n%10 == 0 {
						wantReferral(t, c, dnShorter, proxyName)
					}
				}
				h, err := c.NspiBind()
				if err == nil {
					err = c.NspiUnbind(h)
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// Two users on one connection, each with keys and numbers of their own; the
// referrals of one do not touch the other.
func TestReferralsOfTwoSecurityContextsAreProtectedEachByItsOwn(t *testing.T) {
	for _, levels := range [][2]rpcparse.AuthLevel{
		{rpcparse.LevelPrivacy, rpcparse.LevelPrivacy}, {rpcparse.LevelIntegrity, rpcparse.LevelPrivacy}, {rpcparse.LevelConnect, rpcparse.LevelPrivacy},
	} {
		t.Run(fmt.Sprint(levels), func(t *testing.T) {
			s := referralStage(t, proxyName, true, nil)
			o := as(levels[0])
			o.Security.DummyVerifiers = true // every call says whose it is
			c := s.dial(withReferrals(o))
			second := &client.Security{Level: levels[1], Domain: "LAB", User: bob, Password: bobPassword, ID: 7}
			if err := c.AlterContext(second, client.Context(3, rfri.Interface)); err != nil {
				t.Fatal(err)
			}
			users := []*client.Security{o.Security, second}
			for n := range 30 {
				c.Security = users[n%2]
				if n < 10 && n%2 == 1 {
					exercise(t, c, 1) // the second has nothing rewritten yet
					continue
				}
				wantReferral(t, c, []string{dnLonger, dnShorter, dnSame}[n%3], proxyName)
				exercise(t, c, 1)
			}
			c.ContextID, c.Security = 0, second
			h, err := c.NspiBind()
			if err == nil {
				err = c.NspiUnbind(h)
			}
			if err != nil {
				t.Errorf("bob's session: %v", err)
			}
		})
	}
}

// Referrals that overtake each other, refused binds whose answers wait for the
// end of a large response, and that response: the client verifies each in the
// order in which they come.
func TestReferralsInFlightWithOtherCalls(t *testing.T) {
	for _, d := range dialects() {
		t.Run(d.name, func(t *testing.T) {
			s := referralStage(t, proxyName, true, func(dc *simdc.Config) {
				dc.DummyVerifiers = d.dummies
				dc.Delay = func(iface rpcparse.SyntaxID, _ uint16) time.Duration {
					if iface == rfri.Interface {
						return rand.N(2 * time.Millisecond)
					}
					return 0
				}
			})
			c := s.dial(withReferrals(d.options()))
			fill(t, c)
			for range 3 {
				inFlight(t, c)
			}
			exercise(t, c, 6)
			s.wantReferrals(map[string]int{string(inspect.ReferralRewritten): 3 * 20})
			s.wantReachedDC(3)
		})
	}
}

// inFlight sends 20 referrals, 5 binds over the limit and 5 large calls at once.
func inFlight(t *testing.T, c *client.Conn) {
	t.Helper()
	const size = 30_000
	var referrals, binds, large []uint32
	sent := func(list *[]uint32, id uint32, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		*list = append(*list, id)
	}
	for n := range 20 {
		id, err := c.SendRfrGetNewDSA([]string{dnLonger, dnShorter, dnSame}[n%3])
		sent(&referrals, id, err)
		if n%4 > 0 {
			continue
		}
		id, err = c.Send(client.Request{Opnum: simdc.EchoSizeOpnum, Stub: c.Order.AppendUint32(nil, size), ContextID: &echoContext})
		sent(&large, id, err)
		id, err = c.SendNspiBind()
		sent(&binds, id, err)
	}
	for _, id := range binds {
		if _, err := c.ReceiveNspiBind(id); !client.IsCode(err, nspi.LogonFailed) {
			t.Fatalf("over the limit: %v", err)
		}
	}
	for _, id := range referrals {
		if got, err := c.ReceiveRfr(rfri.OpnumGetNewDSA, id); err != nil || got != proxyName {
			t.Fatalf("referral: %q, %v", got, err)
		}
	}
	for _, id := range large {
		if got, err := c.Receive(id); err != nil || len(got) != size {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
	}
}

func TestReferralInterfaceMayBeAddedToAConnection(t *testing.T) {
	for _, d := range dialects() {
		t.Run(d.name, func(t *testing.T) {
			s := referralStage(t, proxyName, d.keyed, nil)
			o := d.options()
			transfer := o.Transfer
			c := s.dial(withEcho(o))
			h, err := c.NspiBind()
			if err != nil {
				t.Fatal(err)
			}
			if transfer == (rpcparse.SyntaxID{}) {
				transfer = rpcparse.SyntaxNDR
			}
			if err := c.AlterContext(nil, client.Context(300, rfri.Interface, transfer)); err != nil { // more than fits one byte
				t.Fatal(err)
			}
			c.ContextID = 0
			wantReferral(t, c, dnLonger, proxyName)
			if err := c.NspiUnbind(h); err != nil {
				t.Errorf("unbind: %v", err)
			}
			exercise(t, c, 3)
		})
	}
}
