package proxy

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/proxy/inspect"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/rfri"
)

// proxyName is what the proxy calls itself in the tests.
const proxyName = "gc-proxy.corp.example"

// DNs whose server the simulated domain controller answers with, by kind.
const (
	dnLonger  = "/o=LAB/cn=longer"
	dnShorter = "/o=LAB/cn=shorter"
	dnSame    = "/o=LAB/cn=same length"
	dnOwn     = "/o=LAB/cn=the proxy itself"
	dnAbsent  = "/o=LAB/cn=no server"
	dnFailed  = "/o=LAB/cn=failure"
	dnHostile = "/o=LAB/cn=hostile name"
)

var referredTo = map[string]string{
	dnLonger:  "a-domain-controller-with-a-long-name.branch-office.subsidiary.corp.example",
	dnShorter: "gc1",
	dnSame:    "gc-other.corp.example",
	dnOwn:     "GC-Proxy.corp.EXAMPLE.",
	dnAbsent:  "",
	dnFailed:  "undefined.on.failure",
	dnHostile: "gc1\n\x1b[31m" + strings.Repeat("x", 240),
}

// unreferred are the DNs that do not lead past the proxy.
var unreferred = []string{dnOwn, dnAbsent, dnFailed}

func refer(_ uint16, dn string) (string, uint32) {
	if dn == dnFailed {
		return referredTo[dn], uint32(nspi.NotFound)
	}
	return referredTo[dn], 0
}

// referralStage is a stage whose domain controller refers clients, with a name
// for the proxy or without, and with keys or without.
func referralStage(t *testing.T, name policy.HostName, keyed bool, change func(*simdc.Config)) *stage {
	t.Helper()
	var keytabs []policy.File
	if keyed {
		keytabs = []policy.File{policy.File(keytabOf(t, map[string]string{alice: alicePassword, bob: bobPassword}))}
	}
	return newStage(t, func(dc *simdc.Config, p *policy.Config) {
		dc.Refer = refer
		p.Listeners[0].ReferralName, p.Identity.Keytabs = name, keytabs
		if change != nil {
			change(dc)
		}
	})
}

// withReferrals binds NSPI, the echo interface and the referral interface.
func withReferrals(o client.Options) client.Options {
	transfer := o.Transfer
	if transfer == (rpcparse.SyntaxID{}) {
		transfer = rpcparse.SyntaxNDR
	}
	o = withEcho(o)
	o.Contexts[0] = client.Context(0, nspi.Interface, transfer)
	o.Contexts = append(o.Contexts, client.Context(2, rfri.Interface, transfer))
	return o
}

// wantReferral makes both calls and expects the server in their answers.
func wantReferral(t *testing.T, c *client.Conn, dn, want string) {
	t.Helper()
	for name, ask := range map[string]func(string) (string, error){"RfrGetNewDSA": c.RfrGetNewDSA, "RfrGetFQDNFromServerDN": c.RfrGetFQDN} {
		got, err := ask(dn)
		if dn == dnFailed {
			if !client.IsCode(err, nspi.NotFound) {
				t.Fatalf("%s for %s: %v", name, dn, err)
			}
			continue
		}
		if err != nil || got != want {
			t.Fatalf("%s for %s: %q, %v, want %q", name, dn, got, err, want)
		}
	}
}

// wantReferrals checks how many answers were counted under each result.
func (s *stage) wantReferrals(want map[string]int) {
	s.t.Helper()
	for _, result := range []string{string(inspect.ReferralRewritten), string(inspect.ReferralElsewhere), string(inspect.ReferralProtected), string(inspect.ReferralMalformed)} {
		if got := s.metric("nspiproxy_referrals_total", result); got != float64(want[result]) {
			s.t.Errorf("%v answers are %s, want %d", got, result, want[result])
		}
	}
}

// protectedLevels are those with signatures.
var protectedLevels = []rpcparse.AuthLevel{rpcparse.LevelPacket, rpcparse.LevelIntegrity, rpcparse.LevelPrivacy}

// dialect is a manner in which a client can talk.
type dialect struct {
	name    string
	options func() client.Options
	keyed   bool // protected: the proxy needs keys
	dummies bool // the server puts dummy verifiers on its answers
}

func dialects() (all []dialect) {
	plain := func(name string, o client.Options) {
		all = append(all, dialect{name: name, options: func() client.Options { return o }})
	}
	plain("cleartext NDR", client.Options{})
	plain("cleartext NDR64", client.Options{Transfer: rpcparse.SyntaxNDR64})
	plain("cleartext big-endian", client.Options{Order: rpcparse.BigEndian})
	all = append(all,
		dialect{name: "connect", options: func() client.Options { return as(rpcparse.LevelConnect) }},
		dialect{name: "connect, dummy verifiers", dummies: true, options: func() client.Options {
			o := as(rpcparse.LevelConnect)
			o.Security.DummyVerifiers = true
			return o
		}})
	for _, level := range protectedLevels {
		for _, mechanism := range []rpcparse.AuthType{rpcparse.AuthNTLM, rpcparse.AuthSPNEGO} {
			for name, change := range map[string]func(*client.Options){
				"NDR":        func(*client.Options) {},
				"NDR64":      func(o *client.Options) { o.Transfer = rpcparse.SyntaxNDR64 },
				"big-endian": func(o *client.Options) { o.Order = rpcparse.BigEndian },
			} {
				all = append(all, dialect{name: fmt.Sprint(mechanism, " ", level, " ", name), keyed: true, options: func() client.Options {
					o := as(level)
					o.Security.Type = mechanism
					change(&o)
					return o
				}})
			}
		}
	}
	return all
}

func TestReferralsLeadBackToTheProxy(t *testing.T) {
	for _, d := range dialects() {
		t.Run(d.name, func(t *testing.T) {
			s := referralStage(t, proxyName, d.keyed, func(dc *simdc.Config) { dc.DummyVerifiers = d.dummies })
			c := s.dial(withReferrals(d.options()))
			exercise(t, c, 3)
			rewritten := 0
			for range 2 {
				for dn, server := range referredTo {
					if slices.Contains(unreferred, dn) {
						wantReferral(t, c, dn, server)
						continue
					}
					wantReferral(t, c, dn, proxyName)
					rewritten += 2
				}
			}
			exercise(t, c, 12)
			h, err := c.NspiBind()
			if err == nil {
				err = c.NspiUnbind(h)
			}
			if err != nil {
				t.Errorf("a session afterwards: %v", err)
			}
			s.wantReferrals(map[string]int{string(inspect.ReferralRewritten): rewritten})
			if n := len(s.log.events("referral.elsewhere")); n != 0 {
				t.Errorf("%d servers are reported", n)
			}
		})
	}
}

func TestServersPastTheProxyAreReportedOnce(t *testing.T) {
	s := referralStage(t, "", true, nil)
	for _, d := range dialects() {
		c := s.dial(withReferrals(d.options()))
		for range 3 {
			for dn, server := range referredTo {
				wantReferral(t, c, dn, server)
			}
		}
		exercise(t, c, 3)
		c.Close()
	}
	// Without a name of its own the proxy knows no server that is itself.
	want := len(referredTo) - 2
	s.eventually("a record for each name", func() bool { return len(s.log.events("referral.elsewhere")) == want })
	for _, r := range s.log.events("referral.elsewhere") {
		if r["reason"] != "no referral_name is configured" || r["backend"] != "dc1" || r["level"] != "warn" || r["client"] == "" {
			t.Errorf("%v", r)
		}
	}
	s.wantReferrals(map[string]int{string(inspect.ReferralElsewhere): 3 * 2 * want * len(dialects())})
}

func TestSealedReferralsWithoutKeysPassAndAreReported(t *testing.T) {
	s := referralStage(t, proxyName, false, nil)
	c := s.dial(withReferrals(as(rpcparse.LevelPrivacy)))
	for range 3 {
		for dn, server := range referredTo {
			wantReferral(t, c, dn, server)
		}
	}
	exercise(t, c, 3)
	s.eventually("a record", func() bool { return len(s.log.events("referral.protected")) == 1 })
	s.wantReferrals(map[string]int{string(inspect.ReferralProtected): 3 * 2 * len(referredTo)})
	if n := len(s.log.events("referral.elsewhere")); n != 0 {
		t.Errorf("%d servers are reported", n)
	}
}
