package report

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/inspect"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
	"github.com/nspiproxy/nspiproxy/session"
)

// varied is an event of the same kind in which everything is another that a peer can choose.
func varied(e inspect.Event, n int) inspect.Event {
	client := netip.AddrPortFrom(netip.AddrFrom16([16]byte{0: 0xfd, 10: byte(n >> 24), 11: byte(n >> 16), 12: byte(n >> 8), 13: byte(n)}), uint16(n)|1)
	name := fmt.Sprint("evil\n\x1b[31m", n, strings.Repeat("x", 400))
	from := inspect.Source{Client: client, Backend: client.Addr().String()}
	err := errors.New(name)
	switch e := e.(type) {
	case inspect.LimitExceeded:
		e.Source, e.Workstation, e.User = from, name, session.Identity{Assurance: session.AssuranceAddress, Address: client.Addr()}
		return e
	case inspect.BindAnswered:
		e.Source, e.Account = from, name
		return e
	case inspect.Violation:
		e.Source, e.Err = from, err
		return e
	case inspect.AssociationRefused:
		e.Source, e.ID = from, uint32(n)
		return e
	case inspect.KeyOutcome:
		e.Source, e.Outcome.Detail = from, name
		return e
	case inspect.IdentityUnreadable:
		e.Source, e.Why.Detail = from, name
		return e
	case inspect.EndpointsUnchanged:
		e.Source = from
		return e
	case inspect.Referral:
		e.Source, e.Server, e.Err = from, name, err
		return e
	case inspect.NotRPC:
		e.Source = from
		return e
	case inspect.Closed:
		e.Client, e.Backend, e.Err = client, from.Backend, err
		return e
	case inspect.Listening:
		e.Listener, e.Address = from.Backend, client
		return e
	case inspect.PortTaken:
		e.Port, e.Err = uint16(n), err
		return e
	case inspect.ConnectionForeign:
		e.Client, e.To = client.Addr(), client
		return e
	case inspect.BackendIsProxy:
		e.Backend, e.DC, e.Address = from.Backend, name, client
		return e
	case inspect.InterceptionFailed:
		e.DC, e.Err = from.Backend, err
		return e
	case inspect.InterceptedPorts:
		e.Ports, e.By = n, name
		return e
	case inspect.ControllerChanged:
		e.Backend, e.DC, e.Reason = from.Backend, from.Backend, name
		return e
	case inspect.CheckFailed:
		e.DC, e.Reason = from.Backend, name
		return e
	case inspect.ClientRefused:
		e.Client, e.Network = client, netip.PrefixFrom(client.Addr(), 64)
		return e
	case inspect.PathProblem:
		e.Subjects = name
		return e
	case inspect.HTTPError:
		return inspect.HTTPError{Text: name}
	}
	return e
}

// namedRefusal is a refusal that must be in the log.
func namedRefusal(n int) inspect.LimitExceeded {
	return inspect.LimitExceeded{
		Source:   inspect.Source{Client: netip.MustParseAddrPort("10.1.2.3:50000"), Backend: "dc1"},
		User:     session.Identity{Assurance: session.AssuranceClaimed, Account: session.Account{Domain: "LAB", User: fmt.Sprint("honest", n)}},
		Decision: policy.Rule{Name: "default", Limit: 50}.Decision(50, false), Answer: inspect.AnswerLogonFailed,
	}
}

// TestFloodOfAnyRecordIsBoundedAndLosesNoRefusal: of each event that leads to a record, the same one again and again, and one
// in which everything differs that a peer can choose.
func TestFloodOfAnyRecordIsBoundedAndLosesNoRefusal(t *testing.T) {
	const refusals, most = 50, 2 << 20 // bytes of a minute
	for _, e := range allEvents() {
		for _, differs := range []bool{false, true} {
			l := newLogbook()
			for n := range flood {
				if differs {
					l.put(varied(e, n))
				} else {
					l.put(e)
				}
				if n%(flood/refusals) == 0 {
					l.put(namedRefusal(n))
				}
			}
			l.recorder.write()
			l.time = l.time.Add(sumWindow)
			l.flush(true)
			if c, ok := e.(inspect.Closed); l.out.Len() > most && (!ok || !c.Ordinary) {
				t.Errorf("%T, differs %t: %d bytes", e, differs, l.out.Len())
			}
			if n := strings.Count(l.out.String(), `"user":"LAB\\honest`); n != refusals {
				t.Errorf("%T, differs %t: %d of %d refusals of others are in the log", e, differs, n, refusals)
			}
			checkSums(t, l, e, flood)
		}
	}
}

// checkSums looks whether the records and sums of an event say how many there were; findings are written once.
func checkSums(t *testing.T, l *logbook, e inspect.Event, want int) {
	t.Helper()
	x, ok := entryOf(e)
	if !ok || x.once {
		return
	}
	total := 0
	for _, r := range l.records(t) {
		if user, _ := r["user"].(string); strings.Contains(user, "honest") {
			continue
		}
		switch {
		case r["event"] == "log.summed":
			total += int(r["records"].(float64))
		case r["repeated"] != nil:
			total += int(r["repeated"].(float64))
		default:
			total++
		}
	}
	if total != want {
		t.Errorf("%T: records and sums are of %d, want %d", e, total, want)
	}
}

// TestLogThatTakesNothingHoldsUpNothing: while the writer waits for a full pipe, memory stays bounded, and the sums say what there was.
func TestLogThatTakesNothingHoldsUpNothing(t *testing.T) {
	l := newLogbook()
	for minute := range 5 {
		for n := range 3000 {
			for _, e := range []inspect.Event{inspect.Violation{Err: errors.New("x")}, inspect.LimitExceeded{}, inspect.AssociationRefused{}} {
				l.put(varied(e, 3000*minute+n))
			}
		}
		l.time = l.time.Add(sumWindow)
		l.ledger.flush(false)
	}
	kinds := len(l.ledger.kinds)
	if n, most := len(l.ledger.ready), 2*ordinaryShare.lines+shares[kindRejectUnnamed].lines+5*kinds; n > most {
		t.Errorf("%d lines wait, at most %d", n, most)
	}
	for _, k := range l.ledger.kinds {
		if len(k.open) > k.share.keys {
			t.Errorf("%s: %d sums", k.name, len(k.open))
		}
	}
}

// TestOneUsersFloodLosesNoOthersRefusal, of users with names.
func TestOneUsersFloodLosesNoOthersRefusal(t *testing.T) {
	l := newLogbook()
	for n := range 400_000 {
		l.put(namedRefusal(1))
		if n%4000 == 0 {
			l.put(namedRefusal(10 + n/4000))
		}
	}
	l.flush(true)
	users := map[any]bool{}
	for _, r := range l.records(t) {
		users[r["user"]] = true
	}
	if len(users) != 101 {
		t.Errorf("%d users, want 101", len(users))
	}
}

// TestKeyOutcomesAreFindings keeps secctx's results in the table of all events.
func TestKeyOutcomesAreFindings(t *testing.T) {
	for _, r := range []secctx.Result{secctx.WrongVersion, secctx.NoKey, secctx.Undecryptable} {
		if x, ok := entryOf(inspect.KeyOutcome{Outcome: secctx.Outcome{Result: r}}); !ok || !x.once {
			t.Errorf("%v: %+v", r, x)
		}
	}
}

func BenchmarkFlood(b *testing.B) {
	l := newLedger(time.Now)
	e := inspect.AssociationRefused{Source: inspect.Source{Client: netip.MustParseAddrPort("10.1.2.3:50000"), Backend: "dc1"}}
	b.ReportAllocs()
	for b.Loop() {
		x, _ := entryOf(e)
		l.add(x)
	}
}
