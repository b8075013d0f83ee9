package backend

import (
	"strings"
	"testing"
)

func TestEventsPrintThemselves(t *testing.T) {
	for _, tc := range []struct {
		e    Event
		want string
	}{
		{Event{Kind: DCUp, DC: "site/dc1", Backend: "site"}, "dc.up site/dc1 serving"},
		{Event{Kind: DCDown, DC: "dc1", State: Unreachable, Reason: "connection refused"}, "dc.down dc1 unreachable: connection refused"},
		{Event{Kind: DCDown, DC: "dc1", State: NotServing}, "dc.down dc1 not_serving"},
		{Event{Kind: DCPorts, DC: "dc1", Ports: []uint16{49670, 49678}}, "dc.ports dc1 [49670 49678]"},
		{Event{Kind: SRVFailed, Backend: "site", Reason: "no"}, "srv.failed site: no"},
	} {
		if got := tc.e.String(); got != tc.want {
			t.Errorf("%q, want %q", got, tc.want)
		}
	}
	if got := State(9).String(); got != "state(9)" {
		t.Error(got)
	}
}

func TestTextFromElsewhereIsFitForALog(t *testing.T) {
	for in, want := range map[string]string{
		"connection refused":     "connection refused",
		"a\nb\x1b[31m\x00":       "a?b?[31m?",
		"Zürich \xff\u202e":      "Zürich ??",
		strings.Repeat("ä", 200): strings.Repeat("ä", 128) + "…",
	} {
		if got := printable(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
