package capture

// recency orders things by their last use. The zero value is empty.
type recency[T any] struct {
	root use[T] // of a ring; next is the newest, prev the oldest
	n    int
}

// use is the place of one thing in a recency.
type use[T any] struct {
	prev, next *use[T]
	value      T
}

// add notes the first use of v.
func (r *recency[T]) add(v T) *use[T] {
	if r.root.next == nil {
		r.root.prev, r.root.next = &r.root, &r.root
	}
	u := &use[T]{value: v}
	r.link(u)
	r.n++
	return u
}

// touch notes a use.
func (r *recency[T]) touch(u *use[T]) {
	if r.root.next != u {
		u.unlink()
		r.link(u)
	}
}

// remove forgets u.
func (r *recency[T]) remove(u *use[T]) {
	u.unlink()
	r.n--
}

// oldest returns what was not used for the longest time. There must be one.
func (r *recency[T]) oldest() T { return r.root.prev.value }

func (r *recency[T]) link(u *use[T]) {
	u.prev, u.next = &r.root, r.root.next
	u.prev.next, u.next.prev = u, u
}

func (u *use[T]) unlink() {
	u.prev.next, u.next.prev = u.next, u.prev
	u.prev, u.next = nil, nil
}
