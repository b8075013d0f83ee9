package capture

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/capturetest"
)

// limited returns a reader with limits of its own.
func limited(t *testing.T, file []byte, change func(*limits)) *Reader {
	t.Helper()
	f, err := openFrames(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	l := defaultLimits
	change(&l)
	return newReader(f, l)
}

// drain reads to the end, and checks after each PDU that limits hold.
func drain(t *testing.T, r *Reader, check func()) (calls []uint32) {
	t.Helper()
	for {
		p, err := r.Next()
		if errors.Is(err, io.EOF) {
			return calls
		}
		if err != nil {
			t.Fatal(err)
		}
		check()
		calls = append(calls, p.Header.CallID)
	}
}

// talkOf returns a connection of the client port given.
func talkOf(port uint16) *capturetest.Talk {
	c := capturetest.NewTalk()
	c.ClientEnd = netip.AddrPortFrom(c.ClientEnd.Addr(), port)
	return c
}

func TestHoleIsGivenUpWhenTooMuchWaitsBehindIt(t *testing.T) {
	c := capturetest.NewTalk()
	frames := []capturetest.Frame{c.SYN(), c.SYNACK(), c.Client(capturetest.Request(0, 0, 8))}
	c.Lose(10)
	for i := range uint32(100) {
		frames = append(frames, c.Client(capturetest.Request(i+1, 0, 100)))
	}
	const limit = 5000
	r := limited(t, capturetest.Pcap(capturetest.LinkEthernet, frames...), func(l *limits) { l.waiting = limit })
	if calls := drain(t, r, func() {
		if r.err == nil && r.kept > limit+1000 {
			t.Errorf("%d bytes are kept", r.kept)
		}
	}); len(calls) != 101 {
		t.Errorf("%d PDUs, want 101", len(calls))
	}
	if r.now != len(frames) || r.kept != 0 {
		t.Errorf("at frame %d of %d, %d bytes kept at the end", r.now, len(frames), r.kept)
	}
}

func TestPDUsAreNotHeldForeverByAnotherConnectionsHole(t *testing.T) {
	stuck, busy := talkOf(1), talkOf(2)
	frames := []capturetest.Frame{stuck.SYN(), stuck.SYNACK(), stuck.Client(capturetest.Request(1000, 0, 8))}
	stuck.Lose(10)
	frames = append(frames, stuck.Client(capturetest.Request(1001, 0, 8)))
	for i := range uint32(100) {
		frames = append(frames, busy.Client(capturetest.Request(i, 0, 100)))
	}
	const limit = 5000
	r := limited(t, capturetest.Pcap(capturetest.LinkEthernet, frames...), func(l *limits) { l.held = limit })
	for i := range 102 {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		if i == 2 && r.now > 4+limit/(100+24)+1 {
			t.Errorf("the third PDU was held until frame %d", r.now)
		}
		if r.ready.cost > limit+1000 {
			t.Errorf("%d bytes are held", r.ready.cost)
		}
	}
}

func TestSilentConnectionsMakeRoom(t *testing.T) {
	var frames []capturetest.Frame
	talks := make([]*capturetest.Talk, 20)
	for i := range talks {
		talks[i] = talkOf(uint16(i + 1))
		frames = append(frames, talks[i].SYN(), talks[i].SYNACK(), talks[i].Client(capturetest.Request(1, 0, 50)[:40]))
	}
	for _, c := range talks {
		frames = append(frames, c.Client(capturetest.Request(1, 0, 50)[40:], capturetest.Request(2, 0, 8)), c.Client(capturetest.Request(3, 0, 8)))
	}
	file := capturetest.Pcap(capturetest.LinkEthernet, frames...)

	tests := []struct {
		name   string
		change func(*limits)
		pdus   int
	}{
		{"all fit", func(*limits) {}, 60},
		// Of those that had to make room, the call in two segments and the one behind it are lost.
		{"few are read at a time", func(l *limits) { l.reading = 5 }, 20},
		{"few bytes are kept", func(l *limits) { l.buffered = 200 }, 5*3 + 15},
		{"few connections are remembered", func(l *limits) { l.connections = 5 }, 20},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := limited(t, file, tt.change)
			calls := drain(t, r, func() {
				if r.read.n > r.limits.reading || r.kept > r.limits.buffered || len(r.table.conns) > r.limits.connections {
					t.Errorf("%d connections read, %d bytes kept, %d remembered", r.read.n, r.kept, len(r.table.conns))
				}
			})
			if len(calls) != tt.pdus {
				t.Errorf("%d PDUs, want %d", len(calls), tt.pdus)
			}
		})
	}
}

func TestFragmentsThatNeverEndAreDropped(t *testing.T) {
	c := capturetest.NewTalk()
	from, to := c.ClientEnd.Addr(), c.ServerEnd.Addr()
	var packets [][]byte
	for i := range 100 {
		packets = append(packets, capturetest.IPv4Fragment(from, to, 6, 8*(i+1), true, make([]byte, 8)))
	}
	r := limited(t, capturetest.Pcap(capturetest.LinkRaw, capturetest.Whole(packets...)...), func(l *limits) { l.fragments = 10 })
	drain(t, r, func() {})
	if r.decoder.fragments.waiting > 10 {
		t.Errorf("%d fragments wait", r.decoder.fragments.waiting)
	}
}

func TestConnectionsThatAreNotDCERPCCostNothing(t *testing.T) {
	c := capturetest.NewTalk()
	frames := []capturetest.Frame{c.SYN(), c.SYNACK(), c.Client([]byte("hello")), c.Server([]byte("hello"))}
	c.Lose(10)
	frames = append(frames, c.Client(make([]byte, 1000)))
	r := limited(t, capturetest.Pcap(capturetest.LinkEthernet, frames...), func(*limits) {})
	for r.err == nil {
		r.step()
		if r.now == len(frames) && (r.read.n != 0 || r.kept != 0) {
			t.Errorf("%d connections are read, %d bytes kept", r.read.n, r.kept)
		}
	}
}
