package capture

// holes keeps account of the directions that have a hole: bytes that were not
// captured, or not captured yet. All of them bound the frames whose PDUs may be
// given out: behind a hole, earlier frames may turn out to have completed some.
type holes struct {
	open   []openHole // oldest first; those that are no more are dropped lazily
	proven []openHole // the same for those that will not be filled
}

// openHole is valid while its side still says the same frame.
type openHole struct {
	side  *side
	frame int
}

// watch notes what became of a direction at frame now.
func (h *holes) watch(s *side, now int) {
	if !s.sequence.hole() {
		s.holeSince, s.holeProven = 0, 0
		return
	}
	if s.holeSince == 0 {
		s.holeSince = now
		h.open = append(h.open, openHole{s, now})
	}
	if s.holeAt != s.sequence.next {
		s.holeAt, s.holeProven = s.sequence.next, 0
	}
	if s.holeProven == 0 && s.sequence.lost() {
		s.holeProven = now
		h.proven = append(h.proven, openHole{s, now})
	}
}

// oldest returns the direction whose hole is open for the longest time, and
// since which frame; nil without any.
func (h *holes) oldest() (*side, int) {
	for len(h.open) > 0 {
		if o := h.open[0]; o.side.holeSince == o.frame {
			return o.side, o.frame
		}
		h.open = h.open[1:]
	}
	return nil, 0
}

// expired returns a direction whose hole has been proven for graceFrames; nil
// without any.
func (h *holes) expired(now int) *side {
	for len(h.proven) > 0 {
		o := h.proven[0]
		if o.side.holeProven != o.frame {
			h.proven = h.proven[1:]
			continue
		}
		if o.frame+graceFrames <= now {
			h.proven = h.proven[1:]
			return o.side
		}
		return nil
	}
	return nil
}
