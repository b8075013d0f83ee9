package transparent

import (
	"fmt"
	"time"
)

// Another program may undo each repair, such as a firewall that is loaded in a loop.
// Its author has to decide who is right; until then clients are let in at a price that
// this machine does not feel.
const (
	// repairPause is the least time between two repairs, so that each is made within
	// a second of the change.
	repairPause = 500 * time.Millisecond
	// slowPause is that time after quickRepairs within repairWindow: more than an
	// administrator makes by hand who looks for a mistake in a firewall.
	slowPause    = 10 * time.Second
	quickRepairs = 20
	repairWindow = time.Minute
)

// errContested is the difference that is reported then.
var errContested = fmt.Errorf("the rules are changed after each repair, %d times within %v: from now on they are put in force every %v only",
	quickRepairs, repairWindow, slowPause)

// pace says when a repair may be tried. The zero value is for a first one.
type pace struct {
	tried []time.Time // the last ones
	slow  bool        // there were many: until none was needed for repairWindow
}

// pause returns how long a repair has to wait.
func (p *pace) pause(now time.Time) time.Duration {
	if len(p.tried) == 0 {
		return 0
	}
	pause := repairPause
	if p.isSlow(now) {
		pause = slowPause
	}
	return max(0, pause-p.sinceLast(now))
}

// isSlow reports whether so many repairs were tried of late that they are few now.
func (p *pace) isSlow(now time.Time) bool { return p.slow && p.sinceLast(now) < repairWindow }

// sinceLast returns how long ago the last one was tried.
func (p *pace) sinceLast(now time.Time) time.Duration { return now.Sub(p.tried[len(p.tried)-1]) }

// note takes that one was tried.
func (p *pace) note(now time.Time) {
	if len(p.tried) > 0 {
		p.slow = p.isSlow(now)
	}
	p.tried = append(p.tried, now)
	if n := len(p.tried) - quickRepairs; n > 0 {
		p.tried = p.tried[n:]
	}
	if len(p.tried) == quickRepairs && now.Sub(p.tried[0]) < repairWindow {
		p.slow = true
	}
}
