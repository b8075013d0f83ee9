package transparent

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestNoTwoRepairsAreCloserThanTheirPause(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var p pace
		now := time.Now()
		var tried []time.Time
		for range rapid.IntRange(1, 60).Draw(t, "attempts") {
			now = now.Add(time.Duration(rapid.IntRange(0, 20_000).Draw(t, "ms")) * time.Millisecond)
			if p.pause(now) == 0 {
				p.note(now)
				tried = append(tried, now)
			}
		}
		for i := range tried {
			if i > 0 && tried[i].Sub(tried[i-1]) < repairPause {
				t.Fatalf("two repairs within %v", tried[i].Sub(tried[i-1]))
			}
			within := 0
			for _, other := range tried[i:] {
				if other.Sub(tried[i]) < repairWindow {
					within++
				}
			}
			if most := quickRepairs + int(repairWindow/slowPause); within > most {
				t.Fatalf("%d repairs within %v", within, repairWindow)
			}
		}
	})
}
