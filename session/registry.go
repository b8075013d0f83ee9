package session

import "slices"

// HistoryLimit is how many users without a session, and how many clients, are
// remembered with their bind and unbind counts. Beyond it the one whose last
// session ended first is forgotten. 4096 records are about 1 MiB, and more than
// an administrator reads when looking for yesterday's leak.
const HistoryLimit = 4096

// member is a record's place in its registry.
type member[T any] struct {
	index    int      // in registry.all; -1 once forgotten
	archived bool     // in registry.archived
	age      links[T] // of registry.archived
}

// membership gives a registry access to the records of one type.
type membership[K comparable, T any] interface {
	linker[T]
	member(*T) *member[T]
	key(*T) K
}

// registry finds records by key, lists them, and keeps a bounded history of
// those that have no session any more.
type registry[K comparable, T any, M membership[K, T]] struct {
	byKey    map[K]*T
	all      []*T
	archived list[T, M] // the history, the one whose last session ended first in front
}

// add registers x under its key, which must be free.
func (r *registry[K, T, M]) add(x *T) {
	var m M
	if r.byKey == nil {
		r.byKey = make(map[K]*T)
	}
	r.byKey[m.key(x)] = x
	m.member(x).index = len(r.all)
	r.all = append(r.all, x)
}

// restore takes x out of the history, because it has a slot again.
func (r *registry[K, T, M]) restore(x *T) {
	var m M
	if at := m.member(x); at.archived {
		r.archived.remove(x)
		at.archived = false
	}
}

// archive is called when x has no slot any more: x becomes history if remember
// is true, and is forgotten otherwise.
func (r *registry[K, T, M]) archive(x *T, remember bool) {
	var m M
	at := m.member(x)
	switch {
	case at.archived || at.index < 0:
	case !remember:
		r.forget(x)
	default:
		r.archived.push(x)
		at.archived = true
		if r.archived.n > HistoryLimit {
			r.forget(r.archived.head)
		}
	}
}

// forget removes every trace of x.
func (r *registry[K, T, M]) forget(x *T) {
	r.restore(x)
	var m M
	at := m.member(x)
	last := len(r.all) - 1
	r.all[at.index] = r.all[last]
	m.member(r.all[at.index]).index = at.index
	r.all[last] = nil
	r.all = r.all[:last]
	at.index = -1
	delete(r.byKey, m.key(x))
}

// active returns how many records are not history.
func (r *registry[K, T, M]) active() int { return len(r.all) - r.archived.n }

// clone returns the records of this moment. Those that are forgotten later
// have an index of -1.
func (r *registry[K, T, M]) clone() []*T { return slices.Clone(r.all) }
