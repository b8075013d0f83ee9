package transparent

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// steps gives records the problems of each step, pathInterval apart, and returns
// what was reported: "+" and "-" with the values.
func steps(all ...[]Problem) (said []string) {
	r, now := pathRecords{}, time.Unix(0, 0)
	for _, current := range all {
		text := ""
		for _, c := range r.update(now, current) {
			sign := "+"
			if c.Over {
				sign = "-"
			}
			text += sign + c.Subjects()
		}
		said = append(said, text)
		now = now.Add(pathInterval)
	}
	return said
}

func TestProblemsAreSaidWhenTheyComeAndWhenTheyAreOver(t *testing.T) {
	eth9 := []Problem{{Listener: "path", Kind: NoInterface, Values: []string{"eth9"}}}
	both := []Problem{{Listener: "path", Kind: NoInterface, Values: []string{"eth9", "eth8"}}}
	route := Problem{Listener: "path", Kind: NoRoute, Values: []string{"10.0.5.0/24"}}
	for _, c := range []struct {
		what string
		in   [][]Problem
		want []string
	}{
		{"one that stays is said once", [][]Problem{eth9, eth9, eth9, eth9, eth9, eth9, eth9, eth9}, []string{"+eth9", "", "", "", "", "", "", ""}},
		{"its end is said", [][]Problem{eth9, eth9, eth9, eth9, eth9, eth9, nil, nil, nil}, []string{"+eth9", "", "", "", "", "", "-eth9", "", ""}},
		{"the end of a short one is said later", [][]Problem{eth9, nil, nil, nil, nil, nil, nil, nil}, []string{"+eth9", "", "", "", "", "", "-eth9", ""}},
		{"further values are said later", [][]Problem{eth9, both, both, both, both, both, both, both}, []string{"+eth9", "", "", "", "", "", "+eth9, eth8", ""}},
		{"another kind is said at once", [][]Problem{eth9, {eth9[0], route}, {eth9[0], route}}, []string{"+eth9", "+10.0.5.0/24", ""}},
		{"it comes again", [][]Problem{eth9, nil, nil, nil, nil, nil, nil, eth9, eth9, eth9, eth9, eth9, eth9},
			[]string{"+eth9", "", "", "", "", "", "-eth9", "", "", "", "", "", "+eth9"}},
	} {
		got := steps(c.in...)
		for i, want := range c.want {
			if got[i] != want {
				t.Errorf("%s: step %d: %q, want %q of %q", c.what, i, got[i], want, got)
			}
		}
	}
}

// However a problem comes and goes, it is said once a minute at most, and what has
// been so for a minute has been said.
func TestRecordsOfAProblemAreFewAndTrue(t *testing.T) {
	const pause = int(pathPause / pathInterval)
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.SliceOfN(rapid.Bool(), 1, 60).Draw(t, "pattern")
		all := make([][]Problem, len(pattern))
		for i, on := range pattern {
			if on {
				all[i] = []Problem{{Kind: NoInterface, Values: []string{"eth9"}}}
			}
		}
		last, state := -pause, "-eth9"
		for i, said := range steps(all...) {
			if said != "" {
				if i-last < pause || said == state {
					t.Fatalf("step %d: %q after %q of step %d", i, said, state, last)
				}
				last, state = i, said
			}
			settled := i >= pause
			for j := max(0, i-pause); j < i; j++ {
				settled = settled && pattern[j] == pattern[i]
			}
			if settled && pattern[i] != (state == "+eth9") {
				t.Fatalf("step %d: %t, and said was %q", i, pattern[i], state)
			}
		}
	})
}

func TestWatchOfThePathLooksAtOnceAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*pathPause)
		defer cancel()
		begin := time.Now()
		var said []time.Duration
		look := func() []Problem {
			if time.Since(begin) > 90*time.Second {
				return nil
			}
			return []Problem{{Kind: NoInterface, Values: []string{"eth9"}}}
		}
		watchPath(ctx, look, func(PathChange) { said = append(said, time.Since(begin)) })
		if len(said) != 2 || said[0] != 0 || said[1] != 100*time.Second {
			t.Errorf("reported after %v", said)
		}
	})
}
