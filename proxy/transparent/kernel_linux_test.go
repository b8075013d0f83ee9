package transparent

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

func TestKeysOfElementsAreReadAsTheyWereWritten(t *testing.T) {
	sets := newNetlinkSets().sets
	rapid.Check(t, func(t *rapid.T) {
		p := netip.AddrPortFrom(drawAddr(t), rapid.Uint16().Draw(t, "port"))
		for _, s := range sets {
			if !s.family.is(p.Addr()) {
				continue
			}
			key := s.key(p)
			if got, ok := s.endpoint(key); !ok || got != p || len(key) != int(s.set.KeyType.Bytes) {
				t.Fatalf("%s is written as %x, which is %s, %v", p, key, got, ok)
			}
			for i := range key {
				if _, ok := s.endpoint(key[:i]); ok && i != 8 { // an IPv6 key's beginning is not an IPv4 key: other set
					t.Fatalf("%x is an element", key[:i])
				}
			}
		}
	})
}

func TestErrorsOfTheKernelSayWhatToDo(t *testing.T) {
	for _, tt := range []struct {
		err  error
		text string
	}{
		{unix.EPERM, "CAP_NET_ADMIN is needed"},
		{unix.ENOENT, "nspiproxy rules --apply has not been run"},
		{unix.ENOBUFS, "the sets of learnt ports: conn.Receive: no buffer space available"},
	} {
		if err := explain(fmt.Errorf("conn.Receive: %w", tt.err)); err == nil || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%v: %v, want %q", tt.err, err, tt.text)
		}
	}
	if err := explain(nil); err != nil {
		t.Errorf("no error: %v", err)
	}
}

func TestMissingProgramsAreNamed(t *testing.T) {
	_, err := run("", "nspiproxy-absent")
	if err == nil || !strings.Contains(err.Error(), "nspiproxy-absent is not installed") {
		t.Errorf("error %v", err)
	}
}

func TestComplaintsOfProgramsAreKeptAndBounded(t *testing.T) {
	_, err := run("", "sh", "-c", "echo wrong >&2; exit 1")
	if e := (*commandError)(nil); !errors.As(err, &e) || err.Error() != "sh -c echo wrong >&2; exit 1: wrong" || !complained(err, "wrong") {
		t.Errorf("error %v", err)
	}
	if _, err = run(strings.Repeat("x", 10*maxComplaint), "sh", "-c", "cat >&2; exit 1"); err == nil || len(err.Error()) > 2*maxComplaint {
		t.Errorf("error of %d bytes", len(err.Error()))
	}
	if out, err := run("in", "sh", "-c", "cat; echo note >&2"); err != nil || out != "in" {
		t.Errorf("output %q, error %v", out, err)
	}
}

// TestRulesInForceAreReadAsTheyWereAsked reads what iproute2 6.1 prints.
func TestRulesInForceAreReadAsTheyWereAsked(t *testing.T) {
	const printed = `[{"priority":0,"src":"all","table":"255"},` +
		`{"priority":77,"src":"all","fwmark":"0x4e53","fwmask":"0x4e53","iif":"lo","goto":79,"protocol":"78"},` +
		`{"priority":78,"src":"all","fwmark":"0x4e53","fwmask":"0x4e53","table":"20051","protocol":"78"},` +
		`{"priority":79,"src":"all","fwmark":"0x4e53","fwmask":"0x4e53","nop":null,"protocol":"78"},` +
		`{"priority":32766,"src":"all","table":"254"}]`
	var rules []rule
	if err := json.Unmarshal([]byte(printed), &rules); err != nil {
		t.Fatal(err)
	}
	var got routing
	for _, r := range rules {
		if r.Protocol == "78" {
			got = append(got, r.command())
		}
	}
	want := plan(t, listenersOf("tproxy"), "").wanted(ipv4)
	if !slices.Equal(got, want[:3]) {
		t.Errorf("read %q, want %q", got, want[:3])
	}
}
