package session

import "time"

// StrangerTime is how long connections may keep an association alive whose user is
// not known, once the last one has closed whose user is: a connection of the owner
// may be in the middle of its handshake, which takes milliseconds.
const StrangerTime = 10 * time.Second

// EndWith sets what ends the connection. It is called at most once, from any
// goroutine and without a lock, when the connection is a stranger's: see
// [Conn.Vouch].
func (c *Conn) EndWith(end func()) {
	c.table.mu.Lock()
	defer c.table.unlock()
	c.end = end
}

// Vouch records that the domain controller has accepted a user on this connection.
//
// An association is found by its id and the address of its client, so anybody
// behind that address can join it. One that has sessions of users who are known
// needs a connection with a user: when the last of these has closed, those who are
// left keep sessions alive that are not theirs, and use up the quota of their owner.
// After [StrangerTime] they are ended, and the domain controller runs the
// association down as if they had never joined.
func (c *Conn) Vouch() {
	t := c.table
	t.mu.Lock()
	defer t.unlock()
	if c.vouched || c.closed {
		return
	}
	c.vouched = true
	if a := c.assoc; a != nil {
		a.vouched++
		t.reclaim(a)
	}
}

// abandon notes that only strangers may be left in a.
func (t *Table) abandon(a *association) {
	if a.vouched > 0 || a.named == 0 {
		return
	}
	if _, ok := t.abandoned[a]; ok {
		return
	}
	if t.abandoned == nil {
		t.abandoned = make(map[*association]struct{})
	}
	a.abandoned = t.clock()
	t.abandoned[a] = struct{}{}
}

// reclaim undoes abandon: a has an owner again, or has ended.
func (t *Table) reclaim(a *association) { delete(t.abandoned, a) }

// endStrangers ends the connections that keep alive what is not theirs.
func (t *Table) endStrangers() {
	now := t.clock()
	for a := range t.abandoned {
		switch {
		case a.named == 0:
			t.reclaim(a)
		case now-a.abandoned >= StrangerTime:
			t.reclaim(a)
			for c := a.conns.head; c != nil; c = a.conns.next(c) {
				if c.end != nil {
					t.wakes = append(t.wakes, c.end)
					c.end = nil
				}
			}
		}
	}
}
