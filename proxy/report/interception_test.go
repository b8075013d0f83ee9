package report

import (
	"errors"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/proxy/inspect"
)

func TestDamageToRulesIsWrittenWithItsReasonAndAuthor(t *testing.T) {
	l := newLogbook()
	l.write(inspect.InterceptedPorts{Reason: "rules", Err: errors.New("chain intercepted has 0 rules instead of 4"), By: "nft (process 17)"})
	l.write(inspect.InterceptedPorts{Ports: 3, Repaired: true, After: 25 * time.Millisecond})
	got := l.records(t)
	if len(got) != 2 {
		t.Fatalf("%v", got)
	}
	if r := got[0]; r["event"] != "intercept.error" || r["reason"] != "rules" || r["changed_by"] != "nft (process 17)" || r["level"] != "error" {
		t.Errorf("%v", r)
	}
	if r := got[1]; r["event"] != "intercept.ok" || r["repaired"] != true || r["after_ms"] != 25.0 || r["ports"] != 3.0 {
		t.Errorf("%v", r)
	}
}

// A program that may not repair anything sees what others do to the rules as often as
// they do it.
func TestChangesOfRulesInALoopAreSummed(t *testing.T) {
	l := newLogbook()
	const changes = 500
	for range changes {
		l.write(inspect.InterceptedPorts{Reason: "table", Err: errors.New("the rules are not in force")})
		l.write(inspect.InterceptedPorts{})
	}
	if n := len(l.records(t)); n != 2*interceptBurst {
		t.Fatalf("%d records", n)
	}
	l.time = l.time.Add(sumWindow)
	l.flush(false)
	got := l.records(t)[2*interceptBurst:]
	if len(got) != 2 || got[0]["repeated"] != float64(changes-interceptBurst) {
		t.Fatalf("%v", got)
	}
	l.write(inspect.InterceptedPorts{Reason: "table", Err: errors.New("the rules are not in force")})
	if n := len(l.records(t)); n != 2*interceptBurst+3 {
		t.Errorf("a minute later nothing is written at once: %d records", n)
	}
}
