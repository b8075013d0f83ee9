package listen

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/backend"
	"github.com/nspiproxy/nspiproxy/proxy/relay"
)

// attemptsAt is the domain controllers that one client is led to, one after the other,
// out of these, if those in refusing refuse it and the others do not answer, and whether
// each attempt is brief. The first one is the one with the least to do.
func attemptsAt(names, refusing string, patience time.Duration, n int) (list []string) {
	o := backend.Options{}
	for i, name := range names {
		o.Backends = append(o.Backends, backend.Backend{
			Name: string(name), Address: netip.AddrFrom4([4]byte{127, 59, 1, byte(i + 1)}), NSPIPort: 6001,
		})
	}
	set := backend.New(o)
	members := set.All()
	all := &Listeners{Options: Options{Config: &policy.Config{Relay: policy.Relay{ConnectTimeout: patience}}, Controllers: set}}
	p := &pool{all: all, failed: make(map[*relay.Conn]poolAttempt)}
	for range n {
		a := p.next(nil)
		dc := a.pick(set, members, func(name string) (int, int) { return int(name[0]), 0 })
		if dc == nil {
			return append(list, "none")
		}
		word := dc.Name
		if a.brief {
			word += " briefly"
		}
		list = append(list, word)
		a.failed(nil, dc, !slices.Contains([]rune(refusing), rune(dc.Name[0])))
	}
	return list
}

// One that does not answer may only have too much to do: it is tried again as long as it
// would be waited for if there was no other one.
func TestPoolTriesEachMemberBrieflyAndThenAgain(t *testing.T) {
	for _, tc := range []struct {
		names, refusing string
		patience        time.Duration
		want            []string
	}{
		{"ab", "", time.Hour, []string{"a briefly", "b briefly", "a briefly", "b briefly", "a briefly"}},
		{"ab", "", 0, []string{"a briefly", "b briefly", "none"}},
		{"ab", "a", time.Hour, []string{"a briefly", "b", "b", "b", "b"}},
		{"ab", "b", time.Hour, []string{"a briefly", "b briefly", "a", "a", "a"}},
		{"ab", "ab", time.Hour, []string{"a briefly", "b", "none"}},
		{"abc", "abc", time.Hour, []string{"a briefly", "b briefly", "c", "none"}},
		{"a", "", 0, []string{"a", "none"}},
	} {
		t.Run(fmt.Sprint(tc.names, " refused by ", tc.refusing, " within ", tc.patience), func(t *testing.T) {
			if got := attemptsAt(tc.names, tc.refusing, tc.patience, 5); !slices.Equal(got, tc.want) {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}
