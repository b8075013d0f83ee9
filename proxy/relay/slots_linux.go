package relay

// key is the data of an epoll event, which says whose event it is.
type key struct {
	slot  int32 // index in slots, doubled; odd for the server's socket of a connection
	check int32 // generation of the slot
}

// slot belongs to a connection or to a listening socket, or is free.
type slot struct {
	conn     *Conn
	acceptor *acceptor
	check    int32
}

// slots finds the owner of an event. A descriptor's number would not do: one that was
// closed earlier in the same batch of events may belong to another connection by now.
// A slot's generation changes when it is freed, so that such events find nothing.
type slots struct {
	all  []slot
	free []int32
}

// take gives the owner a slot and returns its index.
func (s *slots) take(c *Conn, a *acceptor) int32 {
	if n := len(s.free); n > 0 {
		i := s.free[n-1]
		s.free = s.free[:n-1]
		s.all[i].conn, s.all[i].acceptor = c, a
		return i
	}
	s.all = append(s.all, slot{conn: c, acceptor: a})
	return int32(len(s.all) - 1)
}

// release frees a slot; events of its owner are stale from now on.
func (s *slots) release(i int32) {
	s.all[i] = slot{check: s.all[i].check + 1}
	s.free = append(s.free, i)
}

// key returns the event data of one socket of slot i.
func (s *slots) key(i int32, server bool) key {
	k := key{slot: i << 1, check: s.all[i].check}
	if server {
		k.slot |= 1
	}
	return k
}

// find returns the slot that k was made for, or nil when it has been freed.
func (s *slots) find(k key) *slot {
	if sl := &s.all[k.slot>>1]; sl.check == k.check {
		return sl
	}
	return nil
}
