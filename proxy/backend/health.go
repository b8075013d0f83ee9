package backend

import "time"

// health decides the state of one domain controller. It knows no clock and no
// lock. The zero value, given the two thresholds, is serving.
type health struct {
	rise, fall int // how many in a row change the state

	state    State
	failed   int  // connects that failed in a row, while it is reachable
	came     int  // connects that succeeded in a row, while it is not
	broken   bool // what the active checks have settled on: NSPI does not answer as it should
	opposite int  // active checks in a row that said the opposite of broken
}

// connected notes a TCP connect that succeeded.
func (h *health) connected() {
	h.failed = 0
	if h.state != Unreachable {
		return
	}
	if h.came++; h.came >= h.rise {
		h.came = 0
		h.settle()
	}
}

// failure notes a TCP connect that failed.
func (h *health) failure() {
	h.came = 0
	if h.state == Unreachable {
		return
	}
	if h.failed++; h.failed >= h.fall {
		h.failed, h.opposite = 0, 0
		h.state = Unreachable
	}
}

// checked notes what an active check found that reached the domain controller.
// While it is unreachable, the latest check says what it will come back as.
func (h *health) checked(serves bool) {
	if h.state == Unreachable {
		h.broken = !serves
		return
	}
	if serves != h.broken {
		h.opposite = 0
		return
	}
	need := h.fall
	if serves {
		need = h.rise
	}
	if h.opposite++; h.opposite >= need {
		h.opposite = 0
		h.broken = !serves
		h.settle()
	}
}

func (h *health) settle() {
	h.state = Serving
	if h.broken {
		h.state = NotServing
	}
}

// troubled reports whether a connect that succeeds would change anything.
func (h *health) troubled() bool { return h.failed > 0 || h.state == Unreachable }

// silence is a row of attempts that nothing answered, neither by accepting nor
// by refusing.
type silence struct {
	attempts int
	since    time.Time // when the first of them began
	reported bool      // an earlier row was, and nothing has answered since
}

func (s *silence) unanswered(began time.Time) {
	if s.attempts++; s.attempts == 1 || began.Before(s.since) {
		s.since = began
	}
}

func (s *silence) answered() { *s = silence{} }
