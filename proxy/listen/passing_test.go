package listen

import (
	"errors"
	"slices"
	"testing"

	"github.com/nspiproxy/nspiproxy/proxy/inspect"
)

// reports keeps how many connections passed by in each report.
type reports struct{ passing []int }

func (r *reports) Report(e inspect.Event) {
	r.passing = append(r.passing, e.(inspect.ConnectionsPass).Connections)
}
func (r *reports) Verbose() bool { return false }

func TestConnectionsThatPassByAreReportedWhenTheyAppearAndWhenTheyAreGone(t *testing.T) {
	var r reports
	p := newPassing(&r)
	for _, n := range []int{0, 0, 3, 2, -1, 2, 0, 0, 7} {
		p.count = func() (int, error) {
			if n < 0 {
				return 0, errors.New("it cannot be read")
			}
			return n, nil
		}
		p.look()
		if n >= 0 && p.now.Load() != int64(n) {
			t.Errorf("%d are counted, want %d", p.now.Load(), n)
		}
	}
	if want := []int{3, 0, 7}; !slices.Equal(r.passing, want) {
		t.Errorf("reported %v, want %v", r.passing, want)
	}
}
