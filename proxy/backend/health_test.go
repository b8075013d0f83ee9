package backend

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// sights is what can be seen of a domain controller, by the letter that stands
// for it: a connect that succeeds or fails, an active check that is good or bad.
var sights = map[rune]func(h *health){
	'c': (*health).connected,
	'f': (*health).failure,
	'g': func(h *health) { h.checked(true) },
	'b': func(h *health) { h.checked(false) },
}

func TestStateFollowsWhatIsSeen(t *testing.T) {
	for _, tc := range []struct {
		name, seen string
		want       State
	}{
		{"nothing yet", "", Serving},
		{"one failure less than fall", "ff", Serving},
		{"fall failures", "fff", Unreachable},
		{"not in a row", "ffcff", Serving},
		{"active checks do not make it reachable", "ffgbff", Unreachable},
		{"one connect less than rise", "fffc", Unreachable},
		{"rise connects", "fffcc", Serving},
		{"connects not in a row", "fffcfc", Unreachable},
		{"failures start again", "fffccff", Serving},
		{"one bad check less than fall", "bb", Serving},
		{"fall bad checks", "bbb", NotServing},
		{"bad checks not in a row", "bbgbb", Serving},
		{"a connect does not interrupt bad checks", "bbccb", NotServing},
		{"one good check less than rise", "bbbg", NotServing},
		{"rise good checks", "bbbgg", Serving},
		{"good checks not in a row", "bbbgbg", NotServing},
		{"not serving, then not there", "bbbfff", Unreachable},
		{"back as it was", "bbbfffcc", NotServing},
		{"back serving", "bbbfffcgc", Serving},
		{"back not serving", "fffcbc", NotServing},
		{"the latest check counts", "fffbcgc", Serving},
		{"half a row does not last over an outage", "bbfffccb", Serving},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := health{rise: 2, fall: 3}
			for _, s := range tc.seen {
				sights[s](&h)
			}
			if h.state != tc.want {
				t.Errorf("%q: %v, want %v", tc.seen, h.state, tc.want)
			}
		})
	}
}

// stateOf is the table in doc.go in other words: it looks back over everything
// that was seen, instead of counting.
func stateOf(seen []rune, rise, fall int) State {
	state, broken, since := Serving, false, 0
	for i, s := range seen {
		row := func(n int, good, breaks rune) bool { // does a row of n end here?
			for j := i; j >= since && n > 0; j-- {
				switch seen[j] {
				case good:
					n--
				case breaks:
					return false
				}
			}
			return n == 0
		}
		before := state
		switch {
		case state == Unreachable && (s == 'g' || s == 'b'):
			broken = s == 'b'
		case state == Unreachable && s == 'c' && row(rise, 'c', 'f'):
			state = Serving
			if broken {
				state = NotServing
			}
		case state != Unreachable && s == 'f' && row(fall, 'f', 'c'):
			state = Unreachable
		case state == Serving && s == 'b' && row(fall, 'b', 'g'):
			state, broken = NotServing, true
		case state == NotServing && s == 'g' && row(rise, 'g', 'b'):
			state, broken = Serving, false
		}
		// Rows of connects and of checks are independent, except that an outage
		// ends both.
		if (before == Unreachable) != (state == Unreachable) {
			since = i + 1
		}
	}
	return state
}

func TestStateIsAFunctionOfWhatWasSeen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rise, fall := rapid.IntRange(1, 4).Draw(t, "rise"), rapid.IntRange(1, 4).Draw(t, "fall")
		h := health{rise: rise, fall: fall}
		seen := rapid.SliceOfN(rapid.SampledFrom([]rune("cfgb")), 0, 60).Draw(t, "seen")
		for i, s := range seen {
			sights[s](&h)
			if want := stateOf(seen[:i+1], rise, fall); h.state != want {
				t.Fatalf("after %q: %v, want %v", string(seen[:i+1]), h.state, want)
			}
			if !h.troubled() {
				was := h
				if h.connected(); h != was {
					t.Fatalf("after %q: a connect changes %+v", string(seen[:i+1]), was)
				}
			}
		}
	})
}

func TestSilenceBeginsWithTheFirstOfARow(t *testing.T) {
	var s silence
	at := func(n int) time.Time { return time.Unix(int64(n), 0) }
	s.unanswered(at(5))
	s.answered()
	s.unanswered(at(9))
	s.unanswered(at(8)) // began earlier, ended later
	s.unanswered(at(12))
	if s.attempts != 3 || !s.since.Equal(at(8)) {
		t.Errorf("%+v", s)
	}
}
