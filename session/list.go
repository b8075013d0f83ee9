package session

// links are a value's neighbours in one list. A value has one links field for each
// list that it can be in, so that to enter or leave a list allocates nothing.
type links[T any] struct{ prev, next *T }

// linker names the links field that a list uses. Implementations are empty
// types: the choice costs no memory.
type linker[T any] interface{ of(*T) *links[T] }

// list is a doubly linked list in order of arrival. The zero value is empty.
type list[T any, L linker[T]] struct {
	head, tail *T
	n          int
}

// push adds x behind all others.
func (l *list[T, L]) push(x *T) {
	var by L
	*by.of(x) = links[T]{prev: l.tail}
	if l.tail == nil {
		l.head = x
	} else {
		by.of(l.tail).next = x
	}
	l.tail = x
	l.n++
}

// pushFront adds x before all others.
func (l *list[T, L]) pushFront(x *T) {
	var by L
	*by.of(x) = links[T]{next: l.head}
	if l.head == nil {
		l.tail = x
	} else {
		by.of(l.head).prev = x
	}
	l.head = x
	l.n++
}

// remove takes x out. x must be in this list.
func (l *list[T, L]) remove(x *T) {
	var by L
	at := by.of(x)
	if at.prev == nil {
		l.head = at.next
	} else {
		by.of(at.prev).next = at.next
	}
	if at.next == nil {
		l.tail = at.prev
	} else {
		by.of(at.next).prev = at.prev
	}
	*at = links[T]{}
	l.n--
}

// next returns the value behind x, or nil.
func (l *list[T, L]) next(x *T) *T {
	var by L
	return by.of(x).next
}
