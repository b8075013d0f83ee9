package proxy

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/proxy/inspect"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/rfri"
)

// remake parses a response, lets f change it, and makes PDUs of the result.
func remake(pdu []byte, f func(*rpcparse.Response) []rpcparse.Response) (out []byte) {
	r, err := rpcparse.ParseResponse(pdu)
	if err != nil {
		panic(err) // the simulated domain controller made it
	}
	for _, r := range f(&r) {
		if out, err = rpcparse.AppendResponse(out, r); err != nil {
			panic(err)
		}
	}
	return out
}

// withStub replaces the stub.
func withStub(f func(stub []byte) []byte) func([]byte) []byte {
	return func(pdu []byte) []byte {
		return remake(pdu, func(r *rpcparse.Response) []rpcparse.Response {
			r.Stub = f(slices.Clone(r.Stub))
			return []rpcparse.Response{*r}
		})
	}
}

// inFragments cuts the response into two.
func inFragments(pdu []byte) []byte {
	return remake(pdu, func(r *rpcparse.Response) []rpcparse.Response {
		first, last := *r, *r
		first.Flags &^= rpcparse.FlagLastFrag
		last.Flags &^= rpcparse.FlagFirstFrag
		first.Stub, last.Stub = r.Stub[:8], r.Stub[8:]
		return []rpcparse.Response{first, last}
	})
}

// What cannot be read, or belongs together and did not come so, passes as it was
// sent, and the log names the mistake.
func TestReferralsThatCannotBeReadPassAsTheyWereSent(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(pdu []byte) []byte
		log    string
	}{
		"in fragments":    {inFragments, "limit referral_fragments"},
		"cut short":       {withStub(func(b []byte) []byte { return b[:len(b)-5] }), "short server"},
		"longer":          {withStub(func(b []byte) []byte { return append(b, 0) }), "invalid stub_length"},
		"empty":           {withStub(func([]byte) []byte { return nil }), "short unused"},
		"without its NUL": {withStub(func(b []byte) []byte { return bytes.Replace(b, []byte("gc1\x00"), []byte("gc11"), 1) }), "invalid server"},
		"endless": {withStub(func(b []byte) []byte {
			copy(b[12:], "\xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff")
			return b
		}), "limit server"},
		"NUL in the name": {withStub(func(b []byte) []byte { return bytes.Replace(b, []byte("gc1\x00"), []byte("g\x001\x00"), 1) }), "invalid server"},
	} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			var sent []byte
			s := tamperedStage(t, func(h rpcparse.Header, pdu []byte) []byte {
				if h.Type != rpcparse.PTypeResponse {
					return pdu
				}
				mu.Lock()
				defer mu.Unlock()
				pdu = tc.change(pdu)
				sent = append(sent, pdu...)
				return pdu
			})
			c := s.dial(withReferrals(client.Options{}))
			for n := range 3 {
				if _, err := c.SendRfrGetNewDSA(dnShorter); err != nil {
					t.Fatal(err)
				}
				for last := false; !last; {
					pdu, h, err := c.ReadPDU()
					if err != nil {
						t.Fatal(err)
					}
					mu.Lock()
					if !bytes.HasPrefix(sent, pdu) {
						t.Fatalf("call %d: got %x, sent %x", n, pdu, sent)
					}
					sent = sent[len(pdu):]
					mu.Unlock()
					last = h.Last()
				}
			}
			s.eventually("a record", func() bool { return len(s.log.events("referral.malformed")) == 1 })
			if text := s.log.events("referral.malformed")[0]["message"].(string); !strings.Contains(text, tc.log) {
				t.Errorf("%q does not say %q", text, tc.log)
			}
			s.wantReferrals(map[string]int{string(inspect.ReferralMalformed): 3})
		})
	}
}

// A name that would make the PDU larger than was agreed is not put into it, and
// the context that it was opened under goes on as if nothing had been tried.
func TestRewrittenReferralIsNeverLargerThanAFragment(t *testing.T) {
	for name, tc := range map[string]struct {
		options client.Options
		size    uint16 // of the PDU with the proxy's name in it
	}{
		"cleartext": {client.Options{}, 24 + 52},
		"privacy":   {as(rpcparse.LevelPrivacy), 24 + 64 + 8 + 16},
	} {
		for _, limit := range []uint16{tc.size - 1, tc.size} {
			t.Run(fmt.Sprint(name, " at most ", limit), func(t *testing.T) {
				s := tamperedStage(t, func(h rpcparse.Header, pdu []byte) []byte {
					if h.Type == rpcparse.PTypeBindAck {
						rpcparse.LittleEndian.PutUint16(pdu[16:], limit) // max_xmit_frag
					}
					return pdu
				})
				o := tc.options
				if o.Security != nil {
					o.Security = as(o.Security.Level).Security // one for each connection
				}
				c := s.dial(withReferrals(o))
				want := proxyName
				if limit < tc.size {
					want = referredTo[dnShorter]
				}
				for range 3 {
					if got, err := c.RfrGetNewDSA(dnShorter); err != nil || got != want {
						t.Fatalf("%q, %v, want %q", got, err, want)
					}
				}
				exercise(t, c, 3)
				if limit < tc.size {
					s.eventually("a record", func() bool { return len(s.log.events("referral.elsewhere")) == 1 })
					if r := s.log.events("referral.elsewhere")[0]; r["reason"] != "with the other name the answer would be larger than a fragment may be" || r["server"] != want {
						t.Errorf("%v", r)
					}
				}
			})
		}
	}
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
		return remake(pdu, func(r *rpcparse.Response) []rpcparse.Response {
			r.HasVerifier = false
			return []rpcparse.Response{*r}
		})
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
