package backend

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// pickable is a domain controller in a state.
func pickable(name string, state State, priority uint16) *DC {
	dc := newDC(name, dcNames{}, netip.MustParseAddrPort("10.0.0.1:135"), 0, &Options{})
	dc.health.Store(&health{state: state, priority: priority})
	return dc
}

type loads map[string][2]int

func (l loads) of(name string) (sessions, connections int) { return l[name][0], l[name][1] }

func TestNoBetterCandidateIsLeftOut(t *testing.T) {
	s := New(Options{})
	rapid.Check(t, func(t *rapid.T) {
		var members []*DC
		load, excluded := loads{}, map[*DC]bool{}
		for i := range rapid.IntRange(0, 12).Draw(t, "members") {
			name := fmt.Sprint(i)
			dc := pickable(name, State(rapid.IntRange(0, 2).Draw(t, "state")), rapid.Uint16Range(0, 2).Draw(t, "priority"))
			load[name] = [2]int{rapid.IntRange(0, 2).Draw(t, "sessions"), rapid.IntRange(0, 2).Draw(t, "connections")}
			excluded[dc] = rapid.Bool().Draw(t, "excluded")
			members = append(members, dc)
		}
		key := func(dc *DC) []int {
			return []int{int(dc.State()), int(dc.Priority()), load[dc.Name][0], load[dc.Name][1]}
		}
		var best [][]int
		for _, dc := range members {
			if !excluded[dc] {
				best = append(best, key(dc))
			}
		}
		got := s.Pick(members, load.of, func(dc *DC) bool { return excluded[dc] })
		if len(best) == 0 {
			if got != nil {
				t.Fatalf("picked %s, which is excluded", got.Name)
			}
			return
		}
		if got == nil || excluded[got] {
			t.Fatalf("picked %v", got)
		}
		if want := slices.MinFunc(best, slices.Compare); !slices.Equal(key(got), want) {
			t.Fatalf("picked %v, there is %v", key(got), want)
		}
	})
}

func TestEqualsTakeTurns(t *testing.T) {
	s := New(Options{})
	var members []*DC
	for i := range 12 {
		members = append(members, pickable(fmt.Sprint(i), State(i%2), 0))
	}
	picked := map[string]int{}
	for range 60 {
		picked[s.Pick(members, loads{}.of, nil).Name]++
	}
	for _, dc := range members {
		if want := 10 * (1 - int(dc.State())); picked[dc.Name] != want {
			t.Errorf("%s, %v: picked %d times, want %d", dc.Name, dc.State(), picked[dc.Name], want)
		}
	}
}
