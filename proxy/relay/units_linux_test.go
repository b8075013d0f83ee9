package relay

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"
	"time"
	"unsafe"

	"pgregory.net/rapid"
)

func TestSockaddrRoundTrip(t *testing.T) {
	for _, text := range []string{"1.2.3.4:135", "0.0.0.0:0", "[::]:65535", "[2001:db8::1]:6004"} {
		want := netip.MustParseAddrPort(text)
		sa, err := newSockaddr(want)
		if err != nil || sa.addrPort() != want {
			t.Errorf("%v came back as %v (%v)", want, sa.addrPort(), err)
		}
	}
	mapped, err := newSockaddr(netip.MustParseAddrPort("[::ffff:1.2.3.4]:135"))
	if err != nil || mapped.length != sockaddrLen4 {
		t.Errorf("an IPv4-mapped address takes %d bytes (%v)", mapped.length, err)
	}
	if (&sockaddr{}).addrPort().IsValid() {
		t.Error("no address is valid")
	}
}

func TestTimersEndInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var ts timers
		for i := range ts.lists {
			ts.lists[i].length = time.Duration(i*10) * time.Second
		}
		running := map[*Conn]time.Duration{}
		conns := make([]*Conn, 8)
		for i := range conns {
			conns[i] = &Conn{}
		}
		now := time.Duration(0)
		t.Repeat(map[string]func(*rapid.T){
			"start": func(t *rapid.T) {
				c := rapid.SampledFrom(conns).Draw(t, "conn")
				class := timerClass(rapid.IntRange(1, int(timerClasses)-1).Draw(t, "class"))
				ts.start(c, class, now)
				running[c] = now + ts.lists[class].length
			},
			"stop": func(t *rapid.T) {
				c := rapid.SampledFrom(conns).Draw(t, "conn")
				ts.stop(c)
				delete(running, c)
			},
			"wait": func(t *rapid.T) {
				now += time.Duration(rapid.IntRange(0, 15).Draw(t, "seconds")) * time.Second
				for c, _ := ts.expired(now); c != nil; c, _ = ts.expired(now) {
					if at, ok := running[c]; !ok || at > now {
						t.Fatalf("ended at %v instead of %v (running: %v)", now, at, ok)
					}
					delete(running, c)
				}
			},
			"": func(t *rapid.T) {
				at, ok := ts.next()
				if ok != (len(running) > 0) || ts.running != len(running) {
					t.Fatalf("%d timers run, want %d", ts.running, len(running))
				}
				for _, want := range running {
					if want < at {
						t.Fatalf("the next ends at %v, not %v", want, at)
					}
				}
			},
		})
	})
}

func TestBuffersKeepBytesInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var p pool
		var b *buffer
		var model []byte
		next := byte(0)
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) {
				data := make([]byte, rapid.IntRange(1, 3000).Draw(t, "bytes"))
				for i := range data {
					next++
					data[i] = next
				}
				b = p.append(b, data)
				model = append(model, data...)
			},
			"consume": func(t *rapid.T) {
				n := rapid.IntRange(0, len(model)).Draw(t, "bytes")
				if model = model[n:]; b != nil {
					b.read += n
				}
				if len(model) == 0 {
					p.release(b)
					b = nil
				}
			},
			"": func(t *rapid.T) {
				if waiting(b) != len(model) || b != nil && !bytes.Equal(b.bytes(), model) {
					t.Fatalf("%d bytes instead of %d", waiting(b), len(model))
				}
			},
		})
	})
}

func TestPoolKeepsALimitedNumberOfBuffers(t *testing.T) {
	var p pool
	for range 100 {
		p.release(&buffer{data: make([]byte, 0, 64<<10)})
	}
	if n := len(p.free[2]); n != maxPooled/(64<<10) {
		t.Errorf("%d buffers of 64 KiB kept", n)
	}
	p.release(nil)
	p.release(&buffer{data: make([]byte, 0, 100)}) // not one of the pool's sizes
}

func TestEventsOfAFormerOwnerAreStale(t *testing.T) {
	var s slots
	first, second := &Conn{}, &Conn{}
	i := s.take(first, nil)
	old := s.key(i, true)
	if sl := s.find(old); sl == nil || sl.conn != first {
		t.Fatal("an owner is not found")
	}
	s.release(i)
	if s.find(old) != nil {
		t.Error("found after its end")
	}
	if s.take(second, nil) != i {
		t.Fatal("the slot was not used again")
	}
	if s.find(old) != nil {
		t.Error("an event of the former owner found the new one")
	}
	if sl := s.find(s.key(i, false)); sl == nil || sl.conn != second {
		t.Error("the new owner is not found")
	}
}

func TestMailboxAfterItsEnd(t *testing.T) {
	m, err := newMailbox()
	if err != nil {
		t.Fatal(err)
	}
	if !m.post(message{op: opStop}) || len(m.close()) != 1 {
		t.Error("a message was lost")
	}
	if m.post(message{op: opStop}) {
		t.Error("a message was taken after the end")
	}
}

func TestIdleConnectionIsSmall(t *testing.T) {
	// Half a KiB is the budget, with the slot, a session's state in the handler
	// and the allocator's rounding.
	if n := unsafe.Sizeof(Conn{}); n > 352 { // the allocator has nothing between 320 and that
		t.Errorf("a connection takes %d bytes", n)
	} else {
		t.Logf("a connection takes %d bytes", n)
	}
}

func TestOneSweepPerServer(t *testing.T) {
	var l loop
	first, second := [16]byte{1}, [16]byte{2}
	l.beginSweep(sweep{server: first, silent: time.Second})
	l.beginSweep(sweep{server: second, silent: time.Second})
	l.sweeps[0].next = 7
	l.beginSweep(sweep{server: first, silent: time.Minute})
	l.beginSweep(sweep{server: second, silent: time.Millisecond})
	want := []sweep{{server: first, silent: time.Second}, {server: second, silent: time.Millisecond}}
	same := func(a, b sweep) bool { return a.server == b.server && a.silent == b.silent && a.next == b.next }
	if !slices.EqualFunc(l.sweeps, want, same) {
		t.Errorf("%+v", l.sweeps)
	}
}
