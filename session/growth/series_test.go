package growth

import (
	"math"
	"testing"
	"time"
	"unsafe"

	"pgregory.net/rapid"
)

// model is a series that keeps everything.
type model struct {
	now   time.Duration
	live  []time.Duration
	binds []bindOf
}

func (m *model) level(at time.Duration) (n int) {
	for _, b := range m.binds {
		if b.from < at && b.to >= at {
			n++
		}
	}
	return n
}

// TestSeriesIsWhatAHistoryOfAllSessionsSays compares levels, unbinds and rates with those of a model, over random histories.
func TestSeriesIsWhatAHistoryOfAllSessionsSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s Series
		m := model{}
		pauses := []time.Duration{time.Second, 20 * time.Second, 4 * time.Minute, 50 * time.Minute, 7 * time.Hour, 3 * day}
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			m.now += 1 + time.Duration(rapid.Int64Range(0, int64(rapid.SampledFrom(pauses).Draw(t, "pause"))).Draw(t, "time"))
			if len(m.live) > 0 && rapid.Bool().Draw(t, "end") {
				n := rapid.IntRange(0, len(m.live)-1).Draw(t, "which")
				unbind := rapid.Bool().Draw(t, "unbind")
				s.Ended(m.now, m.live[n], unbind)
				for i := range m.binds {
					if b := &m.binds[i]; b.from == m.live[n] && b.to == never {
						b.to, b.unbind = m.now, unbind
						break
					}
				}
				m.live = append(m.live[:n], m.live[n+1:]...)
			} else {
				s.Bound(m.now)
				m.live = append(m.live, m.now)
				m.binds = append(m.binds, bindOf{m.now, never, false})
			}
			m.check(t, &s)
		}
	})
}

func (m *model) check(t *rapid.T, s *Series) {
	if s.Held() != len(m.live) {
		t.Fatalf("held %d, want %d", s.Held(), len(m.live))
	}
	for k := s.oldest(); k < s.latest; k++ {
		if want := m.level(time.Duration(k+1) * Interval); int(s.at(k).level) != want {
			t.Fatalf("level %d intervals ago is %d, want %d", s.latest-k, s.at(k).level, want)
		}
	}
	oldest, youngest := time.Duration(s.oldest())*Interval, time.Duration(s.latest-1)*Interval
	binds, unbound := 0, 0
	for _, b := range m.binds {
		if b.from < oldest || b.from >= youngest {
			continue
		}
		binds++
		if b.unbind {
			unbound++
		}
	}
	if got, want := s.unbound(), float64(unbound)/math.Max(1, float64(binds)); math.Abs(got-want) > 1e-9 {
		t.Fatalf("%v are unbound, want %v", got, want)
	}
	for _, minutes := range []int{1, 5, 60} {
		span := coarse
		if minutes == 1 {
			span = fine
		}
		since := m.now/span*span + span - time.Duration(minutes)*time.Minute
		var want Rate
		for _, b := range m.binds {
			if b.from >= since {
				want.Binds, want.Growth = want.Binds+1, want.Growth+1
			}
			if b.to != never && b.to >= since {
				want.Growth--
			}
		}
		want.Binds, want.Growth = want.Binds/float64(minutes), want.Growth/float64(minutes)
		if got := s.Rate(m.now, minutes); got != want {
			t.Fatalf("rates of %d minutes: %+v, want %+v", minutes, got, want)
		}
	}
}

// TestSeriesIsSmall: a table has one for each client of each user.
func TestSeriesIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(Series{}); n > 1024 {
		t.Errorf("%d bytes", n)
	}
}

// TestClockThatGoesBackChangesNothingOfThePast as the clock of a virtual machine may.
func TestClockThatGoesBackChangesNothingOfThePast(t *testing.T) {
	var s Series
	s.Bound(3 * time.Hour)
	s.Bound(time.Hour)
	if s.Judge(2*time.Hour, 1); s.Held() != 2 {
		t.Errorf("%d held", s.Held())
	}
	s.Ended(0, time.Hour, true)
	if s.Held() != 1 {
		t.Errorf("%d held", s.Held())
	}
}

func BenchmarkBindAndUnbind(b *testing.B) {
	var s Series
	b.ReportAllocs()
	for n := time.Duration(0); b.Loop(); n += time.Millisecond {
		s.Bound(n)
		s.Ended(n, n, true)
	}
}

// BenchmarkJudge is one estimate, which there is every five minutes.
func BenchmarkJudge(b *testing.B) {
	var s Series
	for n := range 40 {
		s.Bound(time.Duration(n) * Window / 40)
	}
	b.ReportAllocs()
	for n := Window; b.Loop(); n += Interval {
		s.Bound(n)
		s.Judge(n, -1)
	}
}
