package growth

import (
	"cmp"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// The simulation: users of a company for seven days, Monday first, in patterns that vendors
// describe. Everything that happens to one user is a list of binds with their ends.

const (
	day      = 24 * time.Hour
	simTime  = 7 * day
	never    = time.Duration(1 << 62)
	simLimit = 50
)

// bindOf is a session: granted, and over. Whether it ends with an unbind or with its connection.
type bindOf struct {
	from, to time.Duration
	unbind   bool
}

// pattern makes the sessions of one user.
type pattern struct {
	name  string
	users int
	limit int
	make  func(w *worker)
	leaks bool // it loses sessions
}

// worker makes a user's sessions.
type worker struct {
	*rand.Rand
	all   []bindOf
	storm []time.Duration // when the domain controller restarts
	rate  float64
}

func (w *worker) hold(from, length time.Duration, unbind bool) {
	w.all = append(w.all, bindOf{from, from + length, unbind})
}

// about draws a time around a mean.
func (w *worker) about(mean, deviation time.Duration) time.Duration {
	return max(time.Second, mean+time.Duration(w.NormFloat64()*float64(deviation)))
}

// exp draws a time of a Poisson process.
func (w *worker) exp(mean time.Duration) time.Duration {
	return time.Duration(w.ExpFloat64() * float64(mean))
}

// outlook is a person: one to three sessions for the working day, and look-ups of seconds.
func outlook(w *worker) {
	for d := range 5 {
		from := time.Duration(d)*day + w.about(8*time.Hour+30*time.Minute, 40*time.Minute)
		to := from + w.about(8*time.Hour+30*time.Minute, time.Hour)
		for n := range 1 + w.IntN(3) {
			at := from
			if n > 0 {
				at += time.Duration(w.Float64() * float64(to-from) * 0.7)
			}
			w.hold(at, to-at, w.IntN(10) < 8)
		}
		for range w.IntN(20) {
			w.hold(from+time.Duration(w.Float64()*float64(to-from)), w.exp(10*time.Second), true)
		}
	}
}

// laptop sleeps and wakes: its connections are half open for two hours.
func laptop(w *worker) {
	for d := range 5 {
		at := time.Duration(d)*day + w.about(8*time.Hour, time.Hour)
		for end := at + w.about(9*time.Hour, time.Hour); at < end; {
			awake := w.exp(70 * time.Minute)
			for range 1 + w.IntN(2) {
				w.hold(at, awake+2*time.Hour, false)
			}
			at += awake + w.exp(20*time.Minute)
		}
	}
}

// mailboxes holds a session for each of 150 mailboxes (Good Messaging), and starts anew once.
func mailboxes(w *worker) {
	restart := time.Duration(w.Float64() * float64(simTime))
	for _, from := range []time.Duration{w.exp(time.Hour), restart} {
		to := simTime
		if from < restart {
			to = restart
		}
		for range 150 {
			at := from + time.Duration(w.Float64()*float64(10*time.Minute))
			w.hold(at, max(0, to-at), false)
		}
	}
}

// archive has five tasks of five threads each night (Enterprise Vault); a thread takes one mailbox after the other.
func archive(w *worker) {
	for d := range 7 {
		from := time.Duration(d)*day + 20*time.Hour
		for range 25 {
			for at := from + w.exp(20*time.Second); at < from+8*time.Hour; {
				length := w.about(20*time.Minute, 8*time.Minute)
				w.hold(at, length, true)
				at += length + w.exp(5*time.Second)
			}
		}
	}
}

// blackberry holds all that it gets, and asks again at once when it is refused, which no series hears of.
func blackberry(w *worker) {
	for range simLimit {
		w.hold(w.exp(time.Minute), simTime, false)
	}
}

// service holds a few sessions and makes many short ones.
func service(w *worker) {
	for range 5 {
		w.hold(w.exp(10*time.Minute), simTime, false)
	}
	for at := time.Duration(0); at < simTime; at += w.exp(time.Minute) {
		w.hold(at, w.exp(20*time.Second), true)
	}
}

// migration has twenty workers with short sessions, on one night.
func migration(w *worker) {
	from := time.Duration(w.IntN(6))*day + 19*time.Hour
	for range 20 {
		for at := from; at < from+10*time.Hour; {
			length := w.exp(40 * time.Second)
			w.hold(at, length, w.IntN(20) > 0)
			at += length + w.exp(2*time.Second)
		}
	}
}

// slowLeak loses sessions at w.rate an hour, to the limit.
func slowLeak(w *worker) { w.leak(w.exp(24*time.Hour), func(time.Duration) bool { return true }) }

// nightlyPause is a leak by day.
func nightlyPause(w *worker) {
	w.leak(w.exp(24*time.Hour), func(at time.Duration) bool { h := at % day; return h > 7*time.Hour && h < 20*time.Hour })
}

// mixedLeak unbinds two thirds of what it does not lose at once.
func mixedLeak(w *worker) {
	from := w.exp(24 * time.Hour)
	w.leak(from, func(time.Duration) bool { return true })
	for at := from; at < simTime; at += w.exp(time.Duration(float64(time.Hour) / w.rate * 2)) {
		w.hold(at, w.exp(time.Minute), true)
	}
}

func (w *worker) leak(from time.Duration, works func(time.Duration) bool) {
	lost := 0
	for at := from; at < simTime && lost < simLimit; at += w.exp(time.Duration(float64(time.Hour) / w.rate)) {
		if works(at) {
			w.hold(at, never/2, false)
			lost++
		}
	}
}

// burstLeak loses w.rate an hour from some moment on; before it has behaved.
func burstLeak(w *worker) {
	outlook(w)
	w.leak(w.about(3*day, day), func(time.Duration) bool { return true })
}

// restarted ends all sessions at each restart of the domain controller, and begins those that go on again within three minutes.
func (w *worker) restarted() {
	for _, at := range w.storm {
		for n := range w.all {
			b := &w.all[n]
			if b.from < at && b.to > at && b.to < never/2 {
				again := at + time.Duration(w.Float64()*float64(3*time.Minute))
				if b.to > again {
					w.all = append(w.all, bindOf{again, b.to, b.unbind})
				}
				b.to, b.unbind = at, false
			}
		}
	}
}

// moment is a bind or an end of a session.
type moment struct {
	at    time.Duration
	since time.Duration // of an end
	kind  int           // 1: bind; 0: end, 2: end with unbind
}

func moments(all []bindOf) (m []moment) {
	for _, b := range all {
		if b.from >= simTime {
			continue
		}
		m = append(m, moment{at: b.from, kind: 1})
		if b.to < simTime {
			end := moment{at: b.to, since: b.from}
			if b.unbind {
				end.kind = 2
			}
			m = append(m, end)
		}
	}
	slices.SortStableFunc(m, func(a, b moment) int { return cmp.Compare(a.at, b.at) })
	return m
}

// outcome is what became of one user.
type outcome struct {
	days  map[Verdict]map[int]bool // on which days a verdict was new
	found time.Duration            // the first alarm
	held  int                      // then
}

// watch judges a user after each bind, and every five minutes, as a table does.
func watch(all []bindOf, limit int) outcome {
	o := outcome{days: map[Verdict]map[int]bool{}, found: -1}
	var s Series
	before := Normal
	judge := func(now time.Duration) {
		v := s.Judge(now, limit).Verdict
		if v != before {
			if o.days[v] == nil {
				o.days[v] = map[int]bool{}
			}
			o.days[v][int(now/day)] = true
		}
		if (v == Leaking || v == Burst) && o.found < 0 {
			o.found, o.held = now, s.Held()
		}
		before = v
	}
	tick := time.Duration(0)
	for _, m := range moments(all) {
		for ; tick < m.at; tick += Interval {
			judge(tick)
		}
		if m.kind == 1 {
			s.Bound(m.at)
			judge(m.at)
		} else {
			s.Ended(m.at, m.since, m.kind == 2)
		}
	}
	for ; tick < simTime; tick += Interval {
		judge(tick)
	}
	return o
}

func patterns() []pattern {
	return []pattern{
		{name: "Outlook", users: 8950, limit: simLimit, make: outlook},
		{name: "laptop that sleeps", users: 700, limit: simLimit, make: laptop},
		{name: "a session for each mailbox, 150", users: 20, limit: 250, make: mailboxes},
		{name: "archive, tasks and threads", users: 20, limit: simLimit, make: archive},
		{name: "BlackBerry at its limit", users: 10, limit: simLimit, make: blackberry},
		{name: "service, many short sessions", users: 20, limit: simLimit, make: service},
		{name: "migration", users: 20, limit: simLimit, make: migration},
		{name: "slow leak", users: 100, limit: simLimit, make: slowLeak, leaks: true},
		{name: "leak that pauses at night", users: 50, limit: simLimit, make: nightlyPause, leaks: true},
		{name: "leak beside sessions that are unbound", users: 50, limit: simLimit, make: mixedLeak, leaks: true},
		{name: "burst", users: 60, limit: simLimit, make: burstLeak, leaks: true},
	}
}

var printed = flag.Bool("print", false, "print the result of the simulation")

// result is one line of the table in the documentation.
type result struct {
	pattern
	alarmDays, leakingUsers int
	foundEarly, missed      int // of leaks with at least two sessions an hour
	late                    time.Duration
}

func simulate(p pattern, seed uint64) result {
	r := result{pattern: p}
	for n := range p.users {
		w := &worker{Rand: rand.New(rand.NewPCG(seed, uint64(n))), storm: []time.Duration{2*day + 11*time.Hour, 4*day + 15*time.Hour}}
		if p.leaks {
			w.rate = 1 + 9*float64(n)/float64(p.users)
			if p.name == "burst" {
				w.rate = 1200 * math.Pow(40, float64(n)/float64(p.users)) // 20 to 800 a minute
			}
		}
		p.make(w)
		w.restarted()
		o := watch(w.all, p.limit)
		alarms := map[int]bool{}
		for _, v := range []Verdict{Leaking, Burst} {
			for d := range o.days[v] {
				alarms[d] = true
			}
		}
		r.alarmDays += len(alarms)
		if len(o.days[Leaking]) > 0 {
			r.leakingUsers++
		}
		switch {
		case p.name == "burst":
			if o.found < 0 {
				o.found = never
			}
			r.late = max(r.late, o.found-firstOf(w.all))
		case !p.leaks || w.rate < 2:
		case o.found >= 0 && o.held < simLimit*6/10:
			r.foundEarly++
		default:
			r.missed++
		}
	}
	return r
}

// firstOf is when the first session was lost.
func firstOf(all []bindOf) time.Duration {
	first := never
	for _, b := range all {
		if b.to >= never/2 {
			first = min(first, b.from)
		}
	}
	return first
}

// TestVerdictsOfASimulatedCompany holds the verdicts to their bars, with 10,000 users for seven days.
func TestVerdictsOfASimulatedCompany(t *testing.T) {
	var table strings.Builder
	falseDays, userDays, early, leaks := 0, 0, 0, 0
	for _, p := range patterns() {
		p.users = (p.users + scale - 1) / scale
		r := simulate(p, 1)
		fmt.Fprintf(&table, "%-40s %6d users, limit %3d: %4d days with an alarm, %3d users leaking, %3d found before 60 %%, %2d later or never, %v\n",
			p.name, p.users, p.limit, r.alarmDays, r.leakingUsers, r.foundEarly, r.missed, r.late)
		if !p.leaks {
			falseDays, userDays = falseDays+r.alarmDays, userDays+7*p.users
			continue
		}
		early, leaks = early+r.foundEarly, leaks+r.foundEarly+r.missed
		if p.name == "burst" && r.late > time.Minute {
			t.Errorf("a burst was found after %v", r.late)
		}
	}
	if *printed || t.Failed() {
		t.Log("\n" + table.String())
	}
	if 1000*falseDays > userDays {
		t.Errorf("%d false alarms in %d user-days\n%s", falseDays, userDays, table.String())
	}
	if 100*early < 95*leaks {
		t.Errorf("%d of %d leaks found early\n%s", early, leaks, table.String())
	}
}
