package probe_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/closedport"
	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/proxy/probe"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

const opnumUpdateStat = 2

// ways returns every way to authenticate that the simulation knows.
func ways(t testing.TB, target probe.Target) map[string]probe.Target {
	all := map[string]probe.Target{"none": target}
	for _, level := range []probe.Level{"", probe.LevelConnect, probe.LevelPacket, probe.LevelIntegrity, probe.LevelPrivacy} {
		for _, raw := range []bool{false, true} {
			w := ntlm(t, target, level)
			w.Raw = raw
			all[name("ntlm", level, "raw", raw)] = w
		}
	}
	return all
}

func TestEveryStepIsGoodInEveryWay(t *testing.T) {
	for _, c := range []simdc.Config{{}, {NoNDR64: true, DummyVerifiers: true, NoMultiplexing: true}, {MaxFragment: rpcparse.MinFragment}} {
		c.AnonymousBind = true
		dc := start(t, c)
		for way, target := range ways(t, at(dc)) {
			t.Run(way, func(t *testing.T) {
				before := dc.Requests()
				r := probe.Run(t.Context(), target)
				check(t, r, probe.OutcomeOK, allSteps)
				if r.Entries != 12 || r.Address != "127.0.0.1" || r.NSPIPort != dc.NSPIAddr().Port() {
					t.Errorf("%+v", r)
				}
				if n := dc.TotalSessions(); n != 0 {
					t.Errorf("%d sessions left", n)
				}
				after := dc.Requests()
				for _, opnum := range []uint16{nspi.OpnumBind, opnumUpdateStat, nspi.OpnumUnbind} {
					if after[opnum] != before[opnum]+1 {
						t.Errorf("opnum %d was called %d times", opnum, after[opnum]-before[opnum])
					}
				}
				if got := r.Result(); !got.Reachable || !got.Serving || got.Limited || got.NotProbed || got.Err != "" || got.Duration != r.Duration {
					t.Errorf("%+v", got)
				}
			})
		}
	}
}

func TestUnauthenticatedRefusalIsWhatAServerThatServesAnswers(t *testing.T) {
	for _, form := range []nspi.FailureForm{nspi.FormSpec, nspi.FormEcho} {
		dc := start(t, simdc.Config{FailureForm: form})
		r := probe.Run(t.Context(), at(dc))
		check(t, r, probe.OutcomeAnonymousRefused, toNspiBind)
		if got := r.Result(); !got.Reachable || !got.Serving || got.Limited {
			t.Errorf("%+v", got)
		}
	}
}

func TestRefusalByTheLimitIsToldApart(t *testing.T) {
	dc := start(t, simdc.Config{Limit: 1})
	c, err := client.Dial(dc.NSPIAddr().String(), client.Options{Security: &client.Security{Domain: "LAB", User: "alice", Password: password}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.NspiBind(); err != nil {
		t.Fatal(err)
	}
	r := probe.Run(t.Context(), ntlm(t, at(dc), probe.LevelPrivacy))
	check(t, r, probe.OutcomeRefusedLimit, "epm_connect ept_map nspi_connect rpc_bind NSPI_BIND")
	if got := r.Result(); !got.Reachable || !got.Serving || !got.Limited || got.Err != "nspi_bind: MAPI_E_LOGON_FAILED" {
		t.Errorf("%+v", got)
	}
}

func TestWrongPasswordsSayNothingAboutTheServer(t *testing.T) {
	dc := start(t, simdc.Config{})
	for _, raw := range []bool{false, true} {
		for _, level := range []probe.Level{probe.LevelConnect, probe.LevelPrivacy} {
			target := ntlm(t, at(dc), level)
			target.PasswordFile, target.Raw = private(t, "wrong"), raw
			r := probe.Run(t.Context(), target)
			if got := r.Result(); r.Outcome != probe.OutcomeAuthFailed || !got.Reachable || got.Serving || !got.NotProbed || got.Limited {
				t.Errorf("raw %v, level %s: %s after %s: %+v", raw, level, r.Outcome, steps(r), got)
			}
		}
	}
}

func TestPortOfNSPIMayBeGiven(t *testing.T) {
	dc := start(t, simdc.Config{EPMPort: -1})
	r := probe.Run(t.Context(), probe.Target{Address: "localhost", NSPIPort: dc.NSPIAddr().Port()})
	check(t, r, probe.OutcomeAnonymousRefused, "nspi_connect rpc_bind nspi_bind")
}

func TestWhatDoesNotListenIsUnreachable(t *testing.T) {
	dc := start(t, simdc.Config{})
	target := at(dc)
	target.EPMPort = closedport.New(t).Port()
	r := probe.Run(t.Context(), target)
	check(t, r, probe.OutcomeUnreachable, "EPM_CONNECT")
	if r.Result().Reachable {
		t.Error("reachable")
	}
	target.NSPIPort = closedport.New(t).Port()
	check(t, probe.Run(t.Context(), target), probe.OutcomeUnreachable, "NSPI_CONNECT")
	target.Address = "no.such.host.invalid"
	check(t, probe.Run(t.Context(), target), probe.OutcomeUnreachable, "NSPI_CONNECT")
}

func TestPortWithoutNSPIIsNamed(t *testing.T) {
	dc := start(t, simdc.Config{})
	r := probe.Run(t.Context(), probe.Target{Address: "127.0.0.1", NSPIPort: dc.EPMAddr().Port()})
	check(t, r, probe.OutcomeFailed, "nspi_connect RPC_BIND")
	if want := "rpc_bind: the server does not know the interface on this port"; r.Err != want {
		t.Errorf("%q, want %q", r.Err, want)
	}
}

// slow delays the calls of one operation until the test has ended.
func slow(opnum uint16) func(rpcparse.SyntaxID, uint16) time.Duration {
	return func(iface rpcparse.SyntaxID, n uint16) time.Duration {
		if iface == nspi.Interface && n == opnum {
			return time.Hour
		}
		return 0
	}
}

func TestSessionIsClosedThoughTheQueryHangs(t *testing.T) {
	t.Parallel()
	dc := start(t, simdc.Config{AnonymousBind: true, Delay: slow(opnumUpdateStat)})
	for way, target := range ways(t, at(dc)) {
		t.Run(way, func(t *testing.T) {
			queries, unbinds := dc.Requests()[opnumUpdateStat], dc.Requests()[nspi.OpnumUnbind]
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				for dc.Requests()[opnumUpdateStat] == queries && t.Context().Err() == nil {
					time.Sleep(time.Millisecond)
				}
				cancel()
			}()
			r := probe.Run(ctx, target)
			check(t, r, probe.OutcomeFailed, "epm_connect ept_map nspi_connect rpc_bind nspi_bind QUERY nspi_unbind")
			if r.Err != "query: told to stop" || r.Result().Serving || !r.Result().Reachable {
				t.Errorf("%+v", r.Result())
			}
			if dc.Requests()[nspi.OpnumUnbind] != unbinds+1 || dc.TotalSessions() != 0 {
				t.Errorf("%d unbinds, %d sessions left", dc.Requests()[nspi.OpnumUnbind]-unbinds, dc.TotalSessions())
			}
		})
	}
}

func TestTimeOutEndsEveryStep(t *testing.T) {
	t.Parallel()
	for opnum, want := range map[uint16]string{
		nspi.OpnumBind:  "epm_connect ept_map nspi_connect rpc_bind NSPI_BIND",
		opnumUpdateStat: "epm_connect ept_map nspi_connect rpc_bind nspi_bind QUERY nspi_unbind",
	} {
		dc := start(t, simdc.Config{AnonymousBind: true, Delay: slow(opnum)})
		target := at(dc)
		target.Timeout = time.Second
		r := probe.Run(t.Context(), target)
		check(t, r, probe.OutcomeFailed, want)
		noSession(t, dc)
	}
	silent := serve(t, eof)
	for _, target := range []probe.Target{
		{Address: "127.0.0.1", EPMPort: silent.Port()}, {Address: "127.0.0.1", NSPIPort: silent.Port()},
		ntlm(t, probe.Target{Address: "127.0.0.1", NSPIPort: silent.Port()}, probe.LevelPrivacy),
	} {
		target.Timeout = 500 * time.Millisecond
		r := probe.Run(t.Context(), target)
		if r.Outcome != probe.OutcomeFailed || !r.Result().Reachable || r.Result().Serving {
			t.Errorf("%s after %s: %s", r.Outcome, steps(r), r.Err)
		}
	}
}

func TestUnbindThatHangsIsGivenUpAndTheConnectionEndsTheSession(t *testing.T) {
	t.Parallel()
	var delayed atomic.Int32
	dc := start(t, simdc.Config{AnonymousBind: true, Delay: func(iface rpcparse.SyntaxID, n uint16) time.Duration {
		if iface == nspi.Interface && n == nspi.OpnumUnbind {
			delayed.Add(1)
			return time.Hour
		}
		return 0
	}})
	r := probe.Run(t.Context(), at(dc))
	check(t, r, probe.OutcomeFailed, "epm_connect ept_map nspi_connect rpc_bind nspi_bind query NSPI_UNBIND")
	if r.Err != "nspi_unbind: no answer in time" || r.Result().Serving || delayed.Load() != 1 {
		t.Errorf("%+v", r.Result())
	}
	noSession(t, dc)
}

// BenchmarkCheck is the cost of a health check, with the domain controller's part
// of it.
func BenchmarkCheck(b *testing.B) {
	dc := start(b, simdc.Config{})
	target := ntlm(b, at(dc), probe.LevelPrivacy)
	b.ReportAllocs()
	for b.Loop() {
		if r := probe.Run(b.Context(), target).Result(); !r.Serving {
			b.Fatal(r.Err)
		}
	}
}
