package soak

import (
	"fmt"
	"time"

	"github.com/nspiproxy/nspiproxy/session"
)

const (
	// leaveTime is how long a proxy may need until it has noticed that everybody has left. All ends are closed, so it is the
	// time of a few packets on a busy machine.
	leaveTime = 20 * time.Second
	// moreGoroutines allows for those that come and go by themselves: timers of the standard library, one that writes a
	// record, one that asks a name. A leak of one in a thousand conversations is more after a minute.
	moreGoroutines = 8
	// moreMemory allows for what is kept on purpose: sums of records by cause and client, names and tickets in caches, and
	// pools. None of that grows with the number of conversations: a run of 57,000 ends less than one MiB above its start.
	moreMemory = 8 << 20
)

// over waits until nothing of the conversations is left.
func (w *world) over() error {
	for deadline := time.Now().Add(leaveTime); ; time.Sleep(10 * time.Millisecond) {
		for _, l := range w.lanes {
			l.hangUp() // on what has come after its conversation
		}
		now, err := w.ask()
		if err != nil {
			return err
		}
		what := w.remains(now)
		if what == "" {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("left over: %s", what)
		}
	}
}

// remains says what is left of the conversations, empty for nothing.
func (w *world) remains(now left) string {
	t := now.Table
	live := session.Counts{Connections: t.Connections, Associations: t.Associations, Clients: t.Clients, Sessions: t.Sessions,
		Opaque: t.Opaque, Unanswered: t.Unanswered, Reserved: t.Reserved, Provisional: t.Provisional, Waiting: t.Waiting}
	switch {
	case live != session.Counts{}:
		return fmt.Sprintf("in the table %+v", live)
	case t.Binds != t.Unbinds+t.RunDown+t.LostByServer:
		return fmt.Sprintf("sessions that were counted and not ended: %+v", t)
	case now.Descriptors > w.start.Descriptors:
		return fmt.Sprintf("%d descriptors, at the start %d", now.Descriptors, w.start.Descriptors)
	case now.Goroutines > w.start.Goroutines+moreGoroutines:
		return fmt.Sprintf("%d goroutines, at the start %d", now.Goroutines, w.start.Goroutines)
	case now.Heap > w.start.Heap+moreMemory:
		return fmt.Sprintf("%d KiB of memory, at the start %d", now.Heap>>10, w.start.Heap>>10)
	}
	return ""
}
