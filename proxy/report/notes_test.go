package report

import (
	"fmt"
	"testing"

	"github.com/nspiproxy/nspiproxy/proxy/inspect"
)

// With transparent listeners clients choose where they connect to: a finding about
// each of very many addresses must not keep another finding from the log.
func TestFindingsOfOneKindLeaveRoomForOthers(t *testing.T) {
	l := newLogbook()
	for n := range 2 * maxNotes {
		l.note("endpoint.malformed", fmt.Sprint("fd00:5::", n), "text")
	}
	l.note("intercept.port", "dc1", "text")
	all := l.records(t)
	if len(all) < 2 || len(all) > maxNotes || all[len(all)-1]["event"] != "intercept.port" {
		t.Errorf("%d records, the last one is %v", len(all), all[len(all)-1])
	}
}

func TestReferralsByOneServerLeaveRoomForThoseByOthers(t *testing.T) {
	l := newLogbook()
	for n := range 2 * maxReferralNames {
		l.write(elsewhere("dc1", fmt.Sprint("invented", n)))
	}
	l.write(elsewhere("dc2", "mailbox"))
	all := l.records(t)
	if len(all) < 2 || len(all) > maxReferralNames || all[len(all)-1]["backend"] != "dc2" {
		t.Errorf("%d records, the last one is %v", len(all), all[len(all)-1])
	}
}

func elsewhere(backend, server string) inspect.Referral {
	return inspect.Referral{Source: inspect.Source{Backend: backend}, Result: inspect.ReferralElsewhere, Server: server}
}
