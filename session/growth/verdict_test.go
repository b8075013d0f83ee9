package growth

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// lose gives s sessions that are never unbound, at equal distances.
func lose(s *Series, from time.Duration, n int, every time.Duration) (now time.Duration) {
	for k := range n {
		now = from + time.Duration(k)*every
		s.Bound(now)
	}
	return now
}

func TestVerdicts(t *testing.T) {
	for name, tc := range map[string]struct {
		limit int
		do    func(s *Series) time.Duration
		want  Verdict
	}{
		"nothing":           {50, func(*Series) time.Duration { return time.Hour }, Normal},
		"three for a day":   {50, func(s *Series) time.Duration { lose(s, 0, 3, time.Hour); return day }, Normal},
		"four an hour":      {50, func(s *Series) time.Duration { return lose(s, 0, 16, 15*time.Minute) }, Leaking},
		"without a limit":   {-1, func(s *Series) time.Duration { return lose(s, 0, 16, 15*time.Minute) }, Leaking},
		"an hour too early": {50, func(s *Series) time.Duration { return lose(s, 0, 16, 3*time.Minute) }, Normal},
		"31 at once":        {50, func(s *Series) time.Duration { return lose(s, 0, 31, time.Millisecond) + day }, Heavy},
		"31, no limit":      {-1, func(s *Series) time.Duration { return lose(s, 0, 31, time.Millisecond) + day }, Normal},
		"one every second":  {50, func(s *Series) time.Duration { return lose(s, 0, 20, time.Second) }, Burst},
		"one every minute":  {50, func(s *Series) time.Duration { return lose(s, 0, 25, time.Minute) }, Burst},
		"a small limit":     {5, func(s *Series) time.Duration { return lose(s, 0, 4, 6*time.Second) }, Burst},
		"at its limit":      {50, func(s *Series) time.Duration { return lose(s, 0, 50, time.Millisecond) }, Burst},
		"limit of nothing":  {0, func(*Series) time.Duration { return 0 }, Normal},
		"unbound all the same": {50, func(s *Series) time.Duration {
			for k := range 40 {
				at := time.Duration(k) * 8 * time.Minute
				s.Bound(at)
				if k%5 < 3 {
					s.Ended(at+time.Minute, at, true)
				}
			}
			return 320 * time.Minute
		}, Normal},
	} {
		var s Series
		if got := s.Judge(tc.do(&s), tc.limit); got.Verdict != tc.want {
			t.Errorf("%s: %+v with %d, want %s", name, got, s.Held(), tc.want)
		}
	}
}

// TestLeakLastsUntilItsSessionsAreGone: over a night, and at the limit.
func TestLeakLastsUntilItsSessionsAreGone(t *testing.T) {
	var s Series
	now := lose(&s, 0, 20, 15*time.Minute)
	if v := s.Judge(now, 50).Verdict; v != Leaking {
		t.Fatalf("%s", v)
	}
	if v := s.Judge(now+12*time.Hour, 50).Verdict; v != Leaking {
		t.Errorf("after a night: %s", v)
	}
	if v := s.Judge(now+5*day, 20).Verdict; v != Leaking {
		t.Errorf("at its limit: %s", v)
	}
	again := s
	if v := again.Judge(now+6*day, 50).Verdict; v != Normal {
		t.Errorf("after six days of rest: %s", v)
	}
	for range 11 {
		s.Ended(now+5*day, 0, false)
	}
	if v := s.Judge(now+5*day, 20).Verdict; v == Leaking {
		t.Errorf("with 9 of 20: %s", v)
	}
}

func TestForecastOfALeak(t *testing.T) {
	var s Series
	now := lose(&s, 0, 20, 15*time.Minute) // four an hour
	f := s.Judge(now, 50)
	if math.Abs(f.PerHour-4) > 0.2 || f.Bound <= 0 || f.Bound > f.PerHour || math.Abs(f.FullIn.Hours()-30/4.0) > 0.5 {
		t.Errorf("%+v", f)
	}
	if f := s.Judge(now, -1); f.FullIn != 0 {
		t.Errorf("without a limit: %v", f.FullIn)
	}
}

// TestSlopeOfALine: the estimate is exact, however a third of the levels is disturbed upwards and downwards alike.
func TestSlopeOfALine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rise, n := rapid.Float64Range(-5, 5).Draw(t, "rise"), rapid.IntRange(minLevels, int(levels)).Draw(t, "levels")
		y := make([]float64, n)
		for k := range y {
			y[k] = rise * float64(k)
		}
		for range rapid.IntRange(0, n/12).Draw(t, "outliers") {
			y[rapid.IntRange(0, n-1).Draw(t, "at")] += rapid.Float64Range(-1000, 1000).Draw(t, "by")
		}
		median, bound := slope(y)
		if math.Abs(median-rise) > 1e-6 || bound > median {
			t.Fatalf("slope %v, bound %v, want %v", median, bound, rise)
		}
	})
}
