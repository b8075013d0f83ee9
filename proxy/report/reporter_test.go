package report

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/inspect"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
	"github.com/nspiproxy/nspiproxy/session"
)

// allEvents is one event at least of each type.
func allEvents() []inspect.Event {
	from := inspect.Source{Backend: "dc1"}
	err := rpcparse.Errorf(rpcparse.ClassState, "x", 0, "y")
	return []inspect.Event{
		inspect.BindAnswered{Source: from, Result: inspect.ResultGranted},
		inspect.BindAnswered{Source: from, Result: inspect.ResultFailed, LogonFailed: true, Account: "alice"},
		inspect.UnbindAnswered{Source: from, Result: inspect.ResultGranted},
		inspect.LimitExceeded{Source: from, Decision: policy.Rule{Name: "default", Limit: 50}.Decision(50, false), Answer: inspect.AnswerFault},
		inspect.Violation{Source: from, Err: err},
		inspect.Irregular{Err: err},
		inspect.AssociationRefused{Source: from, Err: session.ErrForeignAssociation},
		inspect.KeyOutcome{Source: from, Outcome: secctx.Outcome{Result: secctx.KeyFound}},
		inspect.KeyOutcome{Source: from, Outcome: secctx.Outcome{Result: secctx.WrongVersion}},
		inspect.KeyOutcome{Source: from, Outcome: secctx.Outcome{Result: secctx.NoKey}},
		inspect.KeyOutcome{Source: from, Outcome: secctx.Outcome{Result: secctx.Undecryptable}},
		inspect.IdentityUnreadable{Source: from, Why: secctx.Outcome{Result: secctx.NoPAC, Detail: "x"}},
		inspect.Counted{Who: "NTLM", How: "by name"},
		inspect.Counted{Who: "Kerberos", How: "by address", Alarming: true},
		inspect.Unverified{},
		inspect.EndpointsUnchanged{Source: from, Reason: inspect.EndpointsMalformed},
		inspect.Referral{Source: from, Result: inspect.ReferralRewritten},
		inspect.Referral{Source: from, Result: inspect.ReferralElsewhere, Server: "gc1"},
		inspect.DirectoryChanged{Err: err},
		inspect.DirectoryChanged{},
		inspect.NotRPC{Source: from},
		inspect.Closed{Backend: "dc1", Cause: "end", Ordinary: true},
		inspect.Closed{Backend: "dc1", Cause: "dial_failed"},
		inspect.Listening{Listener: "front"},
		inspect.Listening{},
		inspect.CheckFailed{DC: "dc1", Reason: "x"},
		inspect.CheckFailed{DC: "dc1", Reason: "x", Stack: "goroutine 1"},
		inspect.ShutdownDeadline{After: 1},
		inspect.HTTPError{Text: "x"},
		inspect.ClientRefused{Listener: "front"},
		inspect.ClientRefused{Listener: "front", Held: 3},
		inspect.NoIPv6{Listener: "path"},
		inspect.PathProblem{Listener: "path", Setting: "interfaces", Subjects: "eth9"},
		inspect.PathProblem{Over: true},
		inspect.PortTaken{Listener: "front", Port: 49153, Err: err},
		inspect.Unreachable{Source: from},
		inspect.ConnectionForeign{Listener: "path"},
		inspect.BackendIsProxy{Backend: "dc1"},
		inspect.InterceptionFailed{DC: "dc1", Err: err},
		inspect.InterceptedPorts{},
		inspect.InterceptedPorts{Err: err},
		inspect.ConnectionsPass{Connections: 3},
		inspect.ConnectionsPass{},
		inspect.ConnectionFile{Err: err},
		inspect.ConnectionFile{Err: err, Expected: true},
		inspect.ConnectionsLeft{Ended: 3},
		inspect.ConnectionsLeft{Unknown: 3},
		inspect.PathMoved{Reason: "nspiproxy standby", Ended: 3, Waiting: 1},
		inspect.StandbySocket{Err: err},
		inspect.StandbySocket{Err: err, Expected: true},
		inspect.PortStore{},
		inspect.PortStore{Err: err},
		inspect.KeysLoaded{},
		inspect.KeysLoaded{Err: err},
		inspect.ControllerChanged{Kind: "dc.up", Backend: "dc1"},
		inspect.ControllerChanged{Kind: "dc.down", Backend: "dc1", Bad: true},
	}
}

// What leads to no record at the log's level must not wake the writer: a flood of
// connections that end would otherwise cost a goroutine's wake-up each.
func TestWriterIsWokenForRecordsOnly(t *testing.T) {
	for level, ends := range map[zerolog.Level]bool{zerolog.DebugLevel: true, zerolog.InfoLevel: false, zerolog.ErrorLevel: false} {
		r := New(Options{Log: zerolog.New(&bytes.Buffer{}).Level(level)})
		for _, e := range allEvents() {
			r.recorder.ledger.take()
			r.Report(e)
			queued := len(r.recorder.ledger.take()) > 0
			var out bytes.Buffer
			fresh := newRecorder(zerolog.New(&out).Level(level), r.recorder.ledger.now)
			if levelOf(e) > zerolog.TraceLevel {
				fresh.put(e)
				fresh.write()
			}
			if queued != (out.Len() > 0) {
				t.Errorf("level %v, %T: queued %t, written %q", level, e, queued, out.String())
			}
		}
		if r.Verbose() != ends {
			t.Errorf("level %v: connections that end are reported: %t", level, !ends)
		}
	}
}

// The level that decides whether an event is queued is that of its record.
func TestLevelOfAnEventIsThatOfItsRecord(t *testing.T) {
	for _, e := range allEvents() {
		level := levelOf(e)
		if level == zerolog.TraceLevel {
			continue
		}
		l := newLogbook()
		l.write(e)
		if records := l.records(t); len(records) != 1 || records[0]["level"] != level.String() {
			t.Errorf("%T: level %v, and written %v", e, level, records)
		}
	}
}

func TestLogThatIsClosedStillCountsInMetrics(t *testing.T) {
	r := New(Options{Log: zerolog.Nop()})
	r.Report(inspect.Violation{Err: errors.New("x")})
	families, err := r.Registry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if strings.HasSuffix(f.GetName(), "protocol_errors_total") && f.GetMetric()[0].GetCounter().GetValue() == 1 {
			return
		}
	}
	t.Error("a violation is not counted")
}
