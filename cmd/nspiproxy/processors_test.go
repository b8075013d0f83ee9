package main

import (
	"runtime"
	"testing"
)

func TestSchedulerHasMoreProcessorsThanThereAreLoops(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	for _, c := range []struct {
		environment       string
		loops             int
		wantLoops, wantGo int
	}{
		{"", 0, 4, 6},
		{"", 1, 1, 4}, // never fewer than by default
		{"", 3, 3, 5},
		{"", 9, 9, 11},
		{"4", 0, 4, 4},
		{"4", 9, 9, 4},
		{"many", 0, 4, 6}, // the runtime ignores these as well
		{"0", 0, 4, 6},
	} {
		t.Setenv("GOMAXPROCS", c.environment)
		runtime.GOMAXPROCS(4)
		if loops := useProcessors(c.loops); loops != c.wantLoops || runtime.GOMAXPROCS(0) != c.wantGo {
			t.Errorf("GOMAXPROCS=%q and %d loops: %d loops with %d processors, want %d with %d",
				c.environment, c.loops, loops, runtime.GOMAXPROCS(0), c.wantLoops, c.wantGo)
		}
	}
}
