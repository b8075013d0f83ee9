package backend

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// testReducer has NSPI on port 7 in the tests below, once the port is known.
var testReducer = reducer{rise: 2, fall: 3, epmPort: 135}

// letters are observations by the letter that stands for one in a word.
var letters = map[rune]observation{
	'c': {kind: attemptEnded, outcome: connected, port: 7},
	'f': {kind: attemptEnded, outcome: refused, port: 7, reason: "refused"},
	'u': {kind: attemptEnded, outcome: unanswered, port: 7, reason: "unanswered"},
	'g': {kind: probeEnded, result: &good},
	'b': {kind: probeEnded, result: &bad, reason: bad.Err},
	'L': {kind: probeEnded, result: &limited, reason: limited.Err},
	'x': {kind: probeFailed, result: &gone},
	'E': {kind: attemptEnded, outcome: connected, port: 135},
	'e': {kind: attemptEnded, outcome: refused, port: 135},
	'h': {kind: hostAnswered},
	'v': {kind: hostVanished},
	's': {kind: mapperSlow},
	'B': {kind: checkBegun},
	'C': {kind: checkEnded, outcome: connected},
	'F': {kind: checkEnded, outcome: refused, reason: "refused"},
	'U': {kind: checkEnded, outcome: unanswered, reason: "unanswered"},
	'0': {kind: checkEnded, outcome: undecided},
	'7': {kind: mapperAnswered, ports: []uint16{7}},
	'8': {kind: mapperAnswered, ports: []uint16{8}},
	'n': {kind: mapperAnswered, reason: "not registered"},
	'l': {kind: mapperFailed, outcome: refused, reason: "lost"},
	't': {kind: mapperFailed, outcome: unanswered, reason: "lost"},
	'k': {kind: clientAttemptEnded, outcome: connected, port: 7},
	'K': {kind: clientAttemptEnded, outcome: unanswered},
	'T': {kind: trialRequested},
	'p': {kind: priorityNamed, number: 3},
	'm': {kind: monitoringBegun},
	'M': {kind: monitoringEnded},
}

// reduceWord reduces a word, one letter a second, and returns what followed from the
// letters in short.
func reduceWord(r reducer, h health, word string) (health, string) {
	var log []string
	for i, letter := range word {
		o := letters[letter]
		o.began, o.at = time.Unix(int64(i), 0), time.Unix(int64(i), 0)
		var e effects
		h, e = r.next(h, o)
		log = append(log, e.words()...)
	}
	return h, strings.Join(log, ", ")
}

// words are the effects in short.
func (e effects) words() (list []string) {
	for _, event := range e.events {
		list = append(list, event.String())
	}
	for word, is := range map[string]bool{"wake": e.wake, "trial": e.trial, "new ports": e.portsChanged, fmt.Sprint("silent for ", e.silentFor): e.silent} {
		if is {
			list = append(list, word)
		}
	}
	slices.Sort(list)
	return list
}

func TestStateFollowsWhatIsObserved(t *testing.T) {
	for _, tc := range []struct {
		name, word string
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
		{"connects of clients and of checks are one row", "fUFcC", Serving},
		{"checks that could not be made", "000000", Serving},
		{"nor do they interrupt a row", "ff0f", Unreachable},
		{"one bad check less than fall", "bb", Serving},
		{"fall bad checks", "bbb", NotServing},
		{"bad checks not in a row", "bbgbb", Serving},
		{"a connect does not interrupt bad checks", "bbccb", NotServing},
		{"nor does a check that could not connect", "bbxb", NotServing},
		{"checks that could not connect are no evidence", "xxxxxx", Serving},
		{"one good check less than rise", "bbbg", NotServing},
		{"rise good checks", "bbbgg", Serving},
		{"good checks not in a row", "bbbgbg", NotServing},
		{"a refusal by the limit is a good check", "bbbLLLLL", Serving},
		{"and never a bad one", "LLLLbLbLb", Serving},
		{"not serving, then not there", "bbbfff", Unreachable},
		{"back as it was", "bbbfffcc", NotServing},
		{"back serving", "bbbfffcgc", Serving},
		{"back not serving", "fffcbc", NotServing},
		{"the latest check counts", "fffbcgc", Serving},
		{"half a row does not last over an outage", "bbfffccb", Serving},
		{"every port counts while NSPI's is not known", "eee", Unreachable},
		{"its own port alone counts once it is known", "7eeeff", Serving},
		{"connects to another port do not", "7fffEEEE", Unreachable},
		{"clients that are not let in are no evidence", "KKKKKK", Serving},
		{"nor is one that is", "fffkkkk", Unreachable},
		{"an endpoint mapper that does not answer is none", "lltttt", Serving},
		{"a refusal elsewhere does not make it reachable", "fffhhhh", Unreachable},
		{"the end of monitoring", "fffM", Serving},
		{"nothing counts without monitoring", "MfffbbbUUUlll", Serving},
		{"nothing is left from an earlier time", "ffMmffbbMmb", Serving},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if h, _ := reduceWord(testReducer, health{monitored: true}, tc.word); h.state != tc.want {
				t.Errorf("%q: %v, want %v", tc.word, h.state, tc.want)
			}
		})
	}
}

func TestWhatFollowsFromObservations(t *testing.T) {
	for _, tc := range []struct{ name, word, want string }{
		{"a failure has it checked once", "ff", "wake"},
		{"again after the check has begun", "fBf", "wake, wake"},
		{"a check that fails goes on by itself", "FF", ""},
		{"so does one that could not be made", "00", ""},
		{"a client that is not let in has it checked", "KK", "wake"},
		{"so does a slow endpoint mapper", "ss", "wake"},
		{"the first success is reported, once", "KCCEg", "dc.up  serving, wake"},
		{"and once it has been away", "CFFFCC", "dc.down  unreachable: refused, dc.up  serving, dc.up  serving"},
		{"new states are reported", "FFFCC", "dc.down  unreachable: refused, dc.up  serving"},
		{"with the reason", "bbbgg", "dc.down  not_serving: NspiBind: fault, dc.up  serving"},
		{"a connect to one that is unreachable has it checked", "FFFE", "dc.down  unreachable: refused, wake"},
		{"silence is reported again and again", "UUUUUUU", "dc.down  unreachable: unanswered, silent for 2s, silent for 2s"},
		{"not when something else answered", "UUhUUhUU", "dc.down  unreachable: unanswered"},
		{"not when it refused once", "UUFUU", "dc.down  unreachable: refused"},
		{"failures of clients count, checks report", "uuuuU", "dc.down  unreachable: unanswered, silent for 4s, wake"},
		{"one lost session is not the end of the endpoint mapper", "l7l", "dc.ports  [7], new ports, wake"},
		{"the first lost session has it checked", "lBll", "epm.down : lost, wake"},
		{"and each that nothing answered", "tBtBt", "epm.down : lost, wake, wake, wake"},
		{"its return is reported", "lllB7", "dc.ports  [7], epm.down : lost, epm.up , new ports, wake"},
		{"ports are reported when they change", "77887", "dc.ports  [7], dc.ports  [7], dc.ports  [8], new ports, new ports, new ports"},
		{"and when they are gone", "7nn7", "dc.ports  [7], dc.ports  [7], dc.ports  []: not registered, new ports"},
		{"no trial is needed", "T", ""},
		{"one in ten seconds", "FFFK" + strings.Repeat("T", 30), "dc.down  unreachable: refused, trial, trial, trial"},
		{"none while clients get through", "FFFKk" + strings.Repeat("T", 30), "dc.down  unreachable: refused"},
		{"nothing without monitoring", "MfFUlltsBCEh78nb", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, got := reduceWord(testReducer, health{monitored: true}, tc.word)
			words := strings.Split(got, ", ")
			slices.Sort(words)
			if got = strings.Join(words, ", "); got != tc.want {
				t.Errorf("%q: %q, want %q", tc.word, got, tc.want)
			}
		})
	}
}

func TestSilenceLastsUntilSomethingAnswers(t *testing.T) {
	for word, want := range map[string]bool{
		"": false, "UU": false, "UUU": true, "uuu": true, "UUUU": true, "UUUUU": true, "UUUUUC": false, "UUUUF": false,
		"UUUh": false, "UUU7": false, "UUUE": false, "UUUk": true, "UUUM": false, "FFF": false, "FFFUU": false, "FFFUUU": true,
	} {
		if h, _ := reduceWord(testReducer, health{monitored: true}, word); testReducer.silent(&h) != want {
			t.Errorf("%q: silent %v, want %v", word, !want, want)
		}
	}
}

// One that only loses new connections is waited for as long as a client waits, 21 s here.
func TestHostIsGoneAfterAsMuchSilenceAsAClientWaitsFor(t *testing.T) {
	us := strings.Repeat("U", 21)
	for word, want := range map[string]bool{
		"": false, "UUU": false, us: false, us + "U": true, us + "UC": false, us + "UF": false, us + "Uh": false,
		"F" + us: false, "F" + us + "U": true, us + "kU": false, us + "7U": false,
		"UUUv": true, "UUUvUUUU": true, "UUUvk": false, "UUUvF": false, "UUv": false, "FFFv": false, "v": false, "UUUvCUUU": false,
	} {
		h, _ := reduceWord(testReducer, health{monitored: true}, word)
		if now := time.Unix(int64(len(word)-1), 0); testReducer.gone(&h, 21*time.Second, now) != want {
			t.Errorf("%q: gone %v, want %v", word, !want, want)
		}
	}
}

func TestResultOfEveryActiveCheckIsKept(t *testing.T) {
	for word, want := range map[string]*Result{"": nil, "g": &good, "gb": &bad, "bx": &gone, "FFFg": &good, "xM": &gone} {
		if h, _ := reduceWord(testReducer, health{monitored: true}, word); h.probe != want {
			t.Errorf("%q: %v, want %v", word, h.probe, want)
		}
	}
}

func TestWhatIsKnownSurvivesMonitoring(t *testing.T) {
	before, _ := reduceWord(testReducer, health{}, "pkKm8b")
	for _, word := range []string{"M", "MmM", "fffM", "UUUUbbbMmM"} {
		h, _ := reduceWord(testReducer, before, word)
		want := health{ports: before.ports, reached: 7, priority: 3, clients: before.clients, probe: &bad}
		if h != want || !h.clients.failed {
			t.Errorf("%q: %+v, want %+v", word, h, want)
		}
	}
}

func TestSilenceBeginsWithTheFirstOfARow(t *testing.T) {
	h := health{monitored: true}
	at := func(n int) time.Time { return time.Unix(int64(n), 0) }
	for _, o := range []observation{
		{outcome: unanswered, began: at(5)},
		{outcome: refused},
		{outcome: unanswered, began: at(9)},
		{outcome: unanswered, began: at(8)}, // began earlier, ended later
		{outcome: unanswered, began: at(12)},
	} {
		h, _ = testReducer.next(h, o)
	}
	if h.silence != (silence{attempts: 3, since: at(8), began: at(8)}) {
		t.Errorf("%+v", h.silence)
	}
}

// stateOf is the table in doc.go in other words: it looks back over everything
// that was observed, instead of counting.
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

func TestStateIsAFunctionOfWhatWasObserved(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := reducer{rise: rapid.IntRange(1, 4).Draw(t, "rise"), fall: rapid.IntRange(1, 4).Draw(t, "fall"), epmPort: 135}
		h := health{monitored: true}
		seen := rapid.SliceOfN(rapid.SampledFrom([]rune("cfgb")), 0, 60).Draw(t, "seen")
		for i, letter := range seen {
			h, _ = r.next(h, letters[letter])
			if want := stateOf(seen[:i+1], r.rise, r.fall); h.state != want {
				t.Fatalf("after %q: %v, want %v", string(seen[:i+1]), h.state, want)
			}
		}
	})
}

// Whatever is observed in whichever order.
func TestHealthKeepsItsInvariants(t *testing.T) {
	var all []rune
	for letter := range letters {
		all = append(all, letter)
	}
	slices.Sort(all)
	rapid.Check(t, func(t *rapid.T) {
		r := reducer{rise: rapid.IntRange(1, 3).Draw(t, "rise"), fall: rapid.IntRange(1, 3).Draw(t, "fall"), epmPort: 135}
		var h health
		now, unansweredRow, lastTrial := time.Unix(0, 0), 0, time.Time{}
		for range rapid.IntRange(0, 80).Draw(t, "length") {
			letter := rapid.SampledFrom(all).Draw(t, "letter")
			now = now.Add(time.Duration(rapid.IntRange(0, 6).Draw(t, "seconds")) * time.Second)
			o := letters[letter]
			o.began, o.at = now, now
			before := h
			next, e := r.next(h, o)
			if again, f := r.next(h, o); h != before || again.ports == nil != (next.ports == nil) || !slices.Equal(f.words(), e.words()) {
				t.Fatalf("%c: not a function: %+v, then %+v", letter, next, again)
			}
			h = next

			reported := slices.ContainsFunc(e.events, func(e Event) bool {
				return (e.Kind == DCUp || e.Kind == DCDown) && e.State == h.state && (e.Kind == DCUp) == (h.state == Serving)
			})
			if monitoring := letter == 'm' || letter == 'M'; reported != (h.state != before.state && !monitoring || h.seen && !before.seen) {
				t.Fatalf("%c: from %v to %v: %v", letter, before.state, h.state, e.events)
			}
			if !h.monitored && (h != h.restarted(false) || e.wake || e.silent || len(e.events) > 0) {
				t.Fatalf("%c without monitoring: %+v, %+v", letter, h, e)
			}
			if len(h.nspi()) == 0 && before.ports != nil {
				t.Fatalf("%c: ports are forgotten", letter)
			}
			if h.monitored && letter != 'm' && h.state != before.state && h.state == Unreachable && o.outcome == connected {
				t.Fatalf("%c makes it unreachable", letter)
			}

			switch {
			case letter == 'm' || letter == 'M', strings.ContainsRune("cfEehCF78n", letter):
				unansweredRow = 0
			case letter == 'u' || letter == 'U':
				unansweredRow++
			}
			if e.silent && (unansweredRow < r.fall || e.silentFor < 0) || r.silent(&h) && (h.state != Unreachable || unansweredRow < r.fall) {
				t.Fatalf("%c: silent after %d attempts", letter, unansweredRow)
			}
			if e.trial {
				if now.Sub(lastTrial) < trialInterval || !before.needsTrial() {
					t.Fatalf("a trial %v after the last", now.Sub(lastTrial))
				}
				lastTrial = now
			}
		}
	})
}
