package probe_test

import (
	"context"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
	"github.com/nspiproxy/nspiproxy/proxy/probe"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

func TestChildReportsWhatItWouldInThisProcess(t *testing.T) {
	dc := start(t, simdc.Config{})
	target := ntlm(t, at(dc), probe.LevelPrivacy)
	r := child(t, t.Context(), roleHonest, target)
	check(t, r, probe.OutcomeOK, allSteps)
	if r.Entries != 12 || r.Auth != probe.AuthNTLM || r.Level != probe.LevelPrivacy || !r.Answered || r.Duration <= 0 {
		t.Errorf("%+v", r)
	}
	if got := probe.Child(executable(t, roleHonest))(t.Context(), target); !got.Serving || !got.Reachable || got.Err != "" || got.Duration <= 0 {
		t.Errorf("%+v", got)
	}
	if dc.TotalSessions() != 0 || dc.Requests()[nspi.OpnumUnbind] != 2 {
		t.Errorf("%d sessions left", dc.TotalSessions())
	}
}

func TestChildrenThatGoWrongAreErrors(t *testing.T) {
	dc := start(t, simdc.Config{AnonymousBind: true})
	for role, want := range map[string]string{
		rolePanic:    `exit status 2: panic: index out of range\x1b[31m`,
		roleNonsense: "no report: json:",
		roleChatter:  "",
	} {
		allocates(t, enough, func() {
			r := child(t, t.Context(), role, at(dc))
			if r.Outcome != probe.OutcomeFailed || !strings.HasPrefix(r.Err, "probe process: "+want) {
				t.Errorf("%s: %s: %q", role, r.Outcome, r.Err)
			}
			if got := r.Result(); got.Reachable || got.Serving || got.NotProbed {
				t.Errorf("%s: %+v", role, got)
			}
		})
	}
}

func TestChildrenThatDoNotEndAreKilled(t *testing.T) {
	dc := start(t, simdc.Config{AnonymousBind: true})
	ended, cancel := context.WithTimeout(context.Background(), time.Second)
	t.Cleanup(cancel)
	hasty := at(dc)
	hasty.Timeout = time.Millisecond
	for name, tc := range map[string]struct {
		ctx    context.Context
		target probe.Target
	}{"at their own time-out": {context.Background(), hasty}, "at the caller's": {ended, at(dc)}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := child(t, tc.ctx, roleDeaf, tc.target)
			if r.Outcome != probe.OutcomeFailed || r.Err != "probe process: killed, it did not end in time" {
				t.Errorf("%s: %q", r.Outcome, r.Err)
			}
		})
	}
}

func TestProgramsThatCannotBeStartedSayNothingAboutTheServer(t *testing.T) {
	r := probe.Spawn(t.Context(), filepath.Join(t.TempDir(), "absent"), probe.Target{Address: "127.0.0.1"})
	if r.Outcome != probe.OutcomeNotProbed || !r.Result().NotProbed || r.Err == "" {
		t.Errorf("%s: %q", r.Outcome, r.Err)
	}
}

func TestChildThatIsToldToStopClosesItsSession(t *testing.T) {
	t.Parallel()
	dc := start(t, simdc.Config{Delay: slow(opnumUpdateStat)})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for dc.Requests()[opnumUpdateStat] == 0 && t.Context().Err() == nil {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	r := child(t, ctx, roleHonest, ntlm(t, at(dc), probe.LevelPrivacy))
	check(t, r, probe.OutcomeFailed, "epm_connect ept_map nspi_connect rpc_bind nspi_bind QUERY nspi_unbind")
	if dc.TotalSessions() != 0 || dc.Requests()[nspi.OpnumUnbind] != 1 {
		t.Errorf("%d sessions left after %d unbinds", dc.TotalSessions(), dc.Requests()[nspi.OpnumUnbind])
	}
}

// TestKilledChildLeavesNoSession: the domain controller runs the session down.
func TestKilledChildLeavesNoSession(t *testing.T) {
	t.Parallel()
	dc := start(t, simdc.Config{Delay: slow(opnumUpdateStat)})
	request, err := json.Marshal(ntlm(t, at(dc), probe.LevelPrivacy))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(executable(t, roleHonest), probe.Arguments...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Write(request); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a session in use", func() bool { return dc.TotalSessions() == 1 && dc.Requests()[opnumUpdateStat] == 1 })
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	noSession(t, dc)
	if n := dc.Requests()[nspi.OpnumUnbind]; n != 0 {
		t.Errorf("%d unbinds of a process that is dead", n)
	}
}

func TestChildrenTakeNoTicketsFromTheEnvironment(t *testing.T) {
	t.Setenv("KRB5_CCACHE", private(t, "no cache"))
	kdc := serve(t, eof)
	target := kerberosAt(t, start(t, simdc.Config{}), kdc)
	target.Timeout = time.Second
	if r := child(t, t.Context(), roleHonest, target); r.Err != "ticket: no answer in time" {
		t.Errorf("%q", r.Err)
	}
}

// BenchmarkChild is the cost of a health check, beyond the network's time.
func BenchmarkChild(b *testing.B) {
	dc := start(b, simdc.Config{})
	probed, target := probe.Child(executable(b, roleHonest)), ntlm(b, at(dc), probe.LevelPrivacy)
	for b.Loop() {
		if r := probed(b.Context(), target); !r.Serving {
			b.Fatal(r.Err)
		}
	}
}
