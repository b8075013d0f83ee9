package proxy

import (
	"fmt"
	"testing"
)

// With transparent listeners clients choose where they connect to: a finding about
// each of very many addresses must not keep another finding from the log.
func TestFindingsOfOneKindLeaveRoomForOthers(t *testing.T) {
	l := newLogbook()
	for n := range 2 * maxNotes {
		noteRecord{key: "endpoint.malformed", backend: fmt.Sprint("fd00:5::", n)}.write(l.recorder)
	}
	noteRecord{key: "intercept.port", backend: "dc1"}.write(l.recorder)
	all := l.records(t)
	if len(all) < 2 || len(all) > maxNotes || all[len(all)-1]["event"] != "intercept.port" {
		t.Errorf("%d records, the last one is %v", len(all), all[len(all)-1])
	}
}

func TestReferralsByOneServerLeaveRoomForThoseByOthers(t *testing.T) {
	l := newLogbook()
	for n := range 2 * maxReferralNames {
		referralRecord{backend: "dc1", server: fmt.Sprint("invented", n)}.write(l.recorder)
	}
	referralRecord{backend: "dc2", server: "mailbox"}.write(l.recorder)
	all := l.records(t)
	if len(all) < 2 || len(all) > maxReferralNames || all[len(all)-1]["backend"] != "dc2" {
		t.Errorf("%d records, the last one is %v", len(all), all[len(all)-1])
	}
}
