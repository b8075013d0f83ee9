package transparent

import (
	"context"
	"slices"
	"time"
)

const (
	// pathInterval is how often it is looked whether the configuration fits this
	// machine, which takes less than a millisecond.
	pathInterval = 10 * time.Second
	// pathPause is the shortest time between two records of one listener and kind of
	// problem: an interface may come and go.
	pathPause = time.Minute
)

// PathChange is a problem that has come, or is another one than before, or one that
// is over.
type PathChange struct {
	Problem
	Over bool
}

// WatchPath calls report for each problem at the start and when that changes, until
// ctx ends: at most once a minute for each listener and kind.
func (p *Plan) WatchPath(ctx context.Context, report func(PathChange)) {
	watchPath(ctx, p.Problems, report)
}

func watchPath(ctx context.Context, look func() []Problem, report func(PathChange)) {
	tick := time.NewTicker(pathInterval)
	defer tick.Stop()
	said := pathRecords{}
	for {
		for _, change := range said.update(time.Now(), look()) {
			report(change)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// subject is what one record is about.
type subject struct {
	listener string
	kind     ProblemKind
}

// pathRecord is the last record of a subject.
type pathRecord struct {
	at      time.Time
	problem Problem
	over    bool
}

// pathRecords is what was reported.
type pathRecords map[subject]pathRecord

// update takes the problems of that time and returns what is to be reported.
func (r pathRecords) update(now time.Time, current []Problem) (changes []PathChange) {
	is := make(map[subject]bool)
	for _, p := range current {
		s := subject{p.Listener, p.Kind}
		is[s] = true
		last, reported := r[s]
		if reported && (now.Sub(last.at) < pathPause || !last.over && last.problem.same(p)) {
			continue
		}
		r[s] = pathRecord{at: now, problem: p}
		changes = append(changes, PathChange{Problem: p})
	}
	for s, last := range r {
		switch {
		case is[s] || now.Sub(last.at) < pathPause:
		case last.over:
			delete(r, s)
		default:
			r[s] = pathRecord{at: now, problem: last.problem, over: true}
			changes = append(changes, PathChange{Problem: last.problem, Over: true})
		}
	}
	slices.SortStableFunc(changes, func(a, b PathChange) int { return a.compare(b.Problem) })
	return changes
}
