package session

// notLive is the time of last use of a slot that is not held.
const notLive = -1

// Touch records that h is used on this connection: its idle time begins anew. It
// takes no lock while a connection goes on using the same session.
func (c *Conn) Touch(h Handle) {
	now := int64(c.table.clock())
	if s := c.recent.Load(); s != nil && s.handle == h && s.touch(now) {
		return
	}
	t := c.table
	t.mu.Lock()
	defer t.unlock()
	if s := c.find(h); s != nil {
		s.touch(now)
		c.recent.Store(s)
	}
}

// TouchOpaque records that the user of that key has sent a sealed request on this
// connection. Its handle cannot be read, so the newest opaque session of this user
// in the association counts as used: a client that leaks sessions goes on with its
// newest.
func (c *Conn) TouchOpaque(key string) {
	now := int64(c.table.clock())
	t := c.table
	t.mu.Lock()
	defer t.unlock()
	if g := c.findOpaque(key); g != nil {
		g.held.tail.touch(now)
	}
}

// touch sets the time of last use and reports whether s is held. It needs no
// lock, because the release of s sets notLive, after which no touch succeeds.
func (s *Slot) touch(now int64) bool {
	for {
		last := s.used.Load()
		if last == notLive {
			return false
		}
		if last >= now || s.used.CompareAndSwap(last, now) {
			return true
		}
	}
}
