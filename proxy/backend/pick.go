package backend

import "slices"

// Pick chooses the domain controller for a new association among those that are
// not excluded: the best state wins, then the lowest SRV priority, the fewest
// sessions and the fewest connections, which load returns for a [DC.Name]. Equals
// take turns. exclude may be nil; load is called once for each candidate.
//
// If none serves, one that does not is chosen: a wrongly configured check must
// not lock all clients out. nil means that all are excluded.
func (s *Set) Pick(members []*DC, load func(name string) (sessions, connections int), exclude func(*DC) bool) *DC {
	var room [8]*DC
	best, equals := rank{}, room[:0]
	for _, dc := range members {
		if exclude != nil && exclude(dc) {
			continue
		}
		sessions, connections := load(dc.Name)
		r := rank{int(dc.State()), int(dc.Priority()), sessions, connections}
		if len(equals) == 0 || slices.Compare(r[:], best[:]) < 0 {
			best, equals = r, append(equals[:0], dc)
		} else if r == best {
			equals = append(equals, dc)
		}
	}
	if len(equals) == 0 {
		return nil
	}
	return equals[s.turn.Add(1)%uint32(len(equals))]
}

// rank is what candidates are compared by, in this order: state, priority,
// sessions, connections.
type rank [4]int
