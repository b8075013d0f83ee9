package report

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/inspect"
	"github.com/nspiproxy/nspiproxy/session"
)

// logbook is a recorder whose records can be read, with a clock that the test moves.
type logbook struct {
	*recorder
	out  bytes.Buffer
	time time.Time
}

func newLogbook() *logbook {
	l := &logbook{time: time.Unix(1_700_000_000, 0)}
	l.recorder = newRecorder(zerolog.New(&l.out), func() time.Time { return l.time })
	return l
}

// write takes the record of an event, and writes what is ready.
func (l *logbook) write(e inspect.Event) {
	l.put(e)
	l.recorder.write()
}

func (l *logbook) flush(all bool) {
	l.ledger.flush(all)
	l.recorder.write()
}

func (l *logbook) note(event, subject, text string) {
	l.ledger.add(onceEntry(finding{event, subject, text}))
	l.recorder.write()
}

func (l *logbook) records(t *testing.T) (all []map[string]any) {
	t.Helper()
	for line := range strings.Lines(l.out.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		all = append(all, m)
	}
	return all
}

func (l *logbook) refuse(account string) {
	id := session.Identity{Assurance: session.AssuranceClaimed, Account: session.Account{User: account}, Address: netip.MustParseAddr("10.1.2.3")}
	l.write(inspect.LimitExceeded{
		Source: inspect.Source{Client: netip.MustParseAddrPort("10.1.2.3:50000"), Backend: "dc1"}, User: id,
		Decision: policy.Rule{Name: "default", Limit: 50}.Decision(50, false), Answer: inspect.AnswerLogonFailed,
	})
}

func TestRefusalIsOneRecordWithWhatAnAdministratorAsksFor(t *testing.T) {
	l := newLogbook()
	l.refuse(`LAB\svc-leaky`)
	records := l.records(t)
	if len(records) != 1 {
		t.Fatalf("%d records", len(records))
	}
	for field, want := range map[string]any{
		"event_id": 2820.0, "level": "warn", "user": `LAB\svc-leaky`, "assurance": "claimed", "client": "10.1.2.3:50000",
		"backend": "dc1", "current": 50.0, "limit": 50.0, "rule": "default", "dry_run": false, "message": eventText,
	} {
		if records[0][field] != want {
			t.Errorf("%s = %v, want %v", field, records[0][field], want)
		}
	}
}

func TestRepeatedRefusalsOfOneUserAreSummedPerMinute(t *testing.T) {
	l := newLogbook()
	for range 1000 {
		l.refuse(`LAB\svc-leaky`)
	}
	l.refuse(`LAB\alice`)
	if n := len(l.records(t)); n != 2 {
		t.Fatalf("%d records at once, want one for each user", n)
	}
	l.time = l.time.Add(30 * time.Second)
	l.flush(false)
	if n := len(l.records(t)); n != 2 {
		t.Fatalf("%d records before the minute is over", n)
	}
	l.time = l.time.Add(31 * time.Second)
	l.flush(false)
	records := l.records(t)
	if len(records) != 3 || records[2]["repeated"] != 999.0 || records[2]["user"] != `LAB\svc-leaky` {
		t.Fatalf("after the minute: %v", records[2:])
	}
	l.time = l.time.Add(61 * time.Second)
	l.flush(false)
	if n := len(l.ledger.kinds[kindReject].open); n != 0 {
		t.Errorf("%d users are remembered after a quiet minute", n)
	}
}

// A domain controller that is down ends every connection, and must not fill the log.
func TestConnectionsThatEndForOneReasonAreSummedPerMinute(t *testing.T) {
	l := newLogbook()
	end := func(name, cause string) {
		l.write(inspect.Closed{Client: netip.MustParseAddrPort("10.1.2.3:50000"), Backend: name, Cause: cause})
	}
	for range 1000 {
		end("dc1", "dial_failed")
		end("dc2", "dial_failed")
		end("dc1", "dial_timeout")
	}
	if n := len(l.records(t)); n != 3 {
		t.Fatalf("%d records at once, want one for each domain controller and reason", n)
	}
	l.time = l.time.Add(61 * time.Second)
	l.flush(false)
	records := l.records(t)
	if len(records) != 6 || records[5]["repeated"] != 999.0 || records[5]["event"] != "connection.closed" {
		t.Errorf("after the minute: %v", records[3:])
	}
}

func TestTextFromTheNetworkIsEscapedAndCut(t *testing.T) {
	for name, account := range map[string]string{
		"line feed": "LAB\\a\nlevel=error", "escape": "LAB\\\x1b[31mred", "quote": `LAB\"}{"`, "NUL": "LAB\\\x00", "not UTF-8": "LAB\\\xff\xfe",
		"long": strings.Repeat("x", 32<<10), "format": "%s%n",
	} {
		t.Run(name, func(t *testing.T) {
			l := newLogbook()
			l.refuse(account)
			if n := strings.Count(l.out.String(), "\n"); n != 1 || strings.ContainsAny(l.out.String(), "\x1b\x00") {
				t.Errorf("%q", l.out.String())
			}
			if l.records(t); l.out.Len() > 2000 {
				t.Errorf("%d bytes", l.out.Len())
			}
			var console bytes.Buffer
			w := zerolog.ConsoleWriter{Out: &console, NoColor: true}
			if _, err := w.Write(l.out.Bytes()); err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(console.String(), "\n"); n != 1 || strings.ContainsAny(console.String(), "\x1b\x00") {
				t.Errorf("console: %q", console.String())
			}
		})
	}
}

// A machine may say in each answer that NSPI is elsewhere, and a client may name one
// unknown association after the other.
func TestRecordsThatOneMachineCanRepeatAreSummed(t *testing.T) {
	l := newLogbook()
	for i := range 1000 {
		l.write(inspect.ControllerChanged{Kind: "dc.process", Backend: "10.0.0.9", DC: "10.0.0.9", Ports: []uint16{uint16(i)}})
		l.write(inspect.AssociationRefused{Source: inspect.Source{Client: netip.AddrPortFrom(netip.MustParseAddr("10.1.2.3"), uint16(i)), Backend: "dc1"}})
	}
	l.write(inspect.ControllerChanged{Kind: "dc.down", Backend: "10.0.0.9", DC: "10.0.0.9", Bad: true})
	l.write(inspect.AssociationRefused{Source: inspect.Source{Client: netip.MustParseAddrPort("10.1.2.4:1"), Backend: "dc1"}})
	if n := len(l.records(t)); n != controllerBurst+associationBurst+2 {
		t.Fatalf("%d records at once", n)
	}
	l.time = l.time.Add(61 * time.Second)
	l.flush(false)
	repeated := map[any]any{}
	for _, r := range l.records(t)[controllerBurst+associationBurst+2:] {
		repeated[r["event"]] = r["repeated"]
	}
	if repeated["dc.process"] != float64(1000-controllerBurst) || repeated["association.refused"] != float64(1000-associationBurst) || len(repeated) != 2 {
		t.Errorf("after the minute: %v", repeated)
	}
}
