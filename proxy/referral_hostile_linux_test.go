package proxy

import (
	"bytes"
	"testing"

	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/proxy/inspect"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/rfri"
)

// remake parses a response, lets change alter it, and makes a PDU of the result.
func remake(pdu []byte, change func(*rpcparse.Response)) []byte {
	r, err := rpcparse.ParseResponse(pdu)
	if err != nil {
		panic(err) // the simulated domain controller made it
	}
	change(&r)
	pdu, err = rpcparse.AppendResponse(nil, r)
	if err != nil {
		panic(err)
	}
	return pdu
}

// A signature that somebody has broken is the client's to judge as long as the
// proxy has changed nothing.
func TestReferralThatDoesNotVerifyIsTheClientsToJudge(t *testing.T) {
	for _, level := range protectedLevels {
		t.Run(level.String(), func(t *testing.T) {
			s := tamperedStage(t, func(h rpcparse.Header, pdu []byte) []byte {
				if h.Type == rpcparse.PTypeResponse {
					pdu[40] ^= 1 // in the stub, which begins at 24
				}
				return pdu
			})
			c := s.dial(withReferrals(as(level)))
			got, err := c.RfrGetNewDSA(dnLonger)
			if rpcparse.ClassOf(err) != rpcparse.ClassAuth || got != "" {
				t.Errorf("%q, %v; want the client's own verdict", got, err)
			}
			if n := s.metric("nspiproxy_unverified_pdus_total", ""); n != 1 {
				t.Errorf("%v PDUs did not verify", n)
			}
			if n := s.metric("nspiproxy_referrals_total", "rewritten"); n != 0 {
				t.Errorf("%v were rewritten", n)
			}
		})
	}
}

// After a referral was rewritten the proxy would have to put its own signature on
// what somebody has altered.
func TestBrokenSignatureAfterAReferralEndsTheConnection(t *testing.T) {
	for _, level := range protectedLevels {
		t.Run(level.String(), func(t *testing.T) {
			calls := 0
			s := tamperedStage(t, func(h rpcparse.Header, pdu []byte) []byte {
				if h.Type == rpcparse.PTypeResponse {
					if calls++; calls == 3 {
						pdu[30] ^= 1
					}
				}
				return pdu
			})
			c := s.dial(withReferrals(as(level)))
			for range 2 {
				if got, err := c.RfrGetNewDSA(dnShorter); err != nil || got != proxyName {
					t.Fatalf("%q, %v", got, err)
				}
			}
			if _, err := c.NspiBind(); err == nil || client.IsCode(err, nspi.LogonFailed) {
				t.Errorf("an altered answer arrived: %v", err)
			}
			s.eventually("a record", func() bool { return len(s.log.events("proto.error")) == 1 })
			c.Close()
			s.wantSessions(0)
		})
	}
}

// A response without a verifier to a request with one is not the proxy's to
// change: it cannot know what the client makes of it.
func TestReferralWithoutItsVerifierPasses(t *testing.T) {
	s := tamperedStage(t, func(h rpcparse.Header, pdu []byte) []byte {
		if h.Type != rpcparse.PTypeResponse {
			return pdu
		}
		return remake(pdu, func(r *rpcparse.Response) { r.HasVerifier = false })
	})
	c := s.dial(withReferrals(as(rpcparse.LevelIntegrity)))
	if _, err := c.SendRfrGetNewDSA(dnShorter); err != nil {
		t.Fatal(err)
	}
	pdu, _, err := c.ReadPDU() // the client itself would not take it
	if r, parse := rpcparse.ParseResponse(pdu); err != nil || parse != nil || r.HasVerifier || !bytes.Contains(pdu, []byte(referredTo[dnShorter])) {
		t.Errorf("%x, %v", pdu, err)
	}
	s.wantReferrals(map[string]int{string(inspect.ReferralElsewhere): 1})
	if _, err := c.Do(client.Request{Opnum: rfri.OpnumGetNewDSA}); err == nil {
		t.Error("a call of the address book is none of the referral interface")
	}
}
