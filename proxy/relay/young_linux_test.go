package relay

import (
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// lacks returns those of the options that fd does not have.
func lacks(t testing.TB, fd int32, options []option) (missing []option) {
	t.Helper()
	for _, o := range options {
		v, err := unix.GetsockoptInt(int(fd), o.level, o.name)
		if err != nil {
			t.Errorf("option %d/%d: %v", o.level, o.name, err)
		}
		if v != int(o.value) {
			missing = append(missing, o)
		}
	}
	return missing
}

func TestBothSocketsGetTheirOptions(t *testing.T) {
	const keepAlive = 77 * time.Second
	r := newRig(t, Options{KeepAlive: keepAlive}, nil)
	_, _, p := r.connect()
	var server int32
	r.decided(p, func(Handler) Verdict {
		if m := lacks(t, p.conn.client.fd, slices.Concat(noDelay, keepAliveOptions(keepAlive))); m != nil {
			t.Errorf("the client's socket lacks %v", m)
		}
		server = p.conn.server.fd
		return Verdict{}
	})
	if m := lacks(t, server, noDelay); m != nil {
		t.Errorf("the server's socket lacks %v", m)
	}
	// The loop has nothing else to do and must wake up for it.
	r.eventually("the server's socket has the others", func() bool { return lacks(t, server, keepAliveOptions(keepAlive)) == nil })
}

// tcpSocket makes a socket for a connection that is not run by its loop.
func tcpSocket(t *testing.T) int32 {
	t.Helper()
	fd, errno := newSocket(unix.AF_INET)
	if errno != 0 {
		t.Fatal(errno)
	}
	t.Cleanup(func() { closeSocket(fd) })
	return fd
}

func TestOptionsAreSetOfConnectionsThatHaveLivedLongEnough(t *testing.T) {
	l := &loop{group: &Group{keepAlive: keepAliveOptions(time.Minute)}, clockRead: true}
	open := func() *Conn {
		c := &Conn{loop: l}
		c.server.fd = tcpSocket(t)
		c.slot = l.slots.take(c, nil)
		l.young.add(youngConn{key: l.slots.key(c.slot, true), at: l.now() + youngTime})
		return c
	}
	at := func(now time.Duration, want ...*Conn) {
		t.Helper()
		l.clock = now
		l.keepYoungAlive()
		for _, c := range want {
			if m := lacks(t, c.server.fd, l.group.keepAlive); m != nil {
				t.Errorf("at %v a connection lacks %v", now, m)
			}
		}
	}
	first, ended := open(), open()
	at(youngTime - 1)
	if lacks(t, first.server.fd, l.group.keepAlive) == nil {
		t.Error("the options were set too early")
	}
	l.slots.release(ended.slot)
	next := open() // has the slot of the one that has ended
	at(youngTime, first)
	if lacks(t, ended.server.fd, l.group.keepAlive) == nil || lacks(t, next.server.fd, l.group.keepAlive) == nil {
		t.Error("options were set for a connection that has ended")
	}
	at(2*youngTime-1, next)
	if _, ok := l.young.next(); ok {
		t.Error("a connection is left")
	}
}

func TestYoungQueueIsInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q youngQueue
		var model []youngConn
		most, n := 0, int32(0)
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				n++
				y := youngConn{key: key{slot: n}, at: time.Duration(n)}
				q.add(y)
				model = append(model, y)
				most = max(most, len(model))
			},
			"take": func(t *rapid.T) {
				if len(model) == 0 {
					t.Skip("empty")
				}
				if k := q.take(); k != model[0].key {
					t.Fatalf("took %v, want %v", k, model[0].key)
				}
				model = model[1:]
			},
			"": func(t *rapid.T) {
				at, ok := q.next()
				if ok != (len(model) > 0) || ok && at != model[0].at {
					t.Fatalf("the next is at %v (%v), want %v", at, ok, model)
				}
				if len(q.all) > 2*most+1 {
					t.Fatalf("%d places for %d connections", len(q.all), most)
				}
			},
		})
	})
}
