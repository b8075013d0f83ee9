package relay

import (
	"bytes"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// queueWatch remembers the most bytes that waited in a connection's buffers. Its
// loop notes them, in handler calls.
type queueWatch struct{ in, out atomic.Int64 }

func (w *queueWatch) note(c *Conn) {
	for _, s := range c.sides() {
		w.in.Store(max(w.in.Load(), int64(waiting(s.in))))
		w.out.Store(max(w.out.Load(), int64(waiting(s.out))))
	}
}

// filler writes to a connection whose other end is not read.
type filler struct {
	written atomic.Int64
	ending  atomic.Bool
	ended   chan struct{}
}

// fill writes copies of pdu to c until that blocks, for good: some MiB fit into
// the sockets' buffers.
func (r *rig) fill(c *net.TCPConn, pdu []byte) *filler {
	r.Helper()
	f := &filler{ended: make(chan struct{})}
	go func() {
		defer close(f.ended)
		for !f.ending.Load() {
			n, err := c.Write(pdu)
			if f.written.Add(int64(n)); err != nil {
				return
			}
		}
	}()
	last := int64(-1)
	r.eventually("the sender has to wait", func() bool {
		time.Sleep(50 * time.Millisecond)
		now := f.written.Load()
		stuck := now == last
		last = now
		return stuck
	})
	return f
}

// stop makes the write that goes on the last one; wait waits for it, and returns
// the bytes written in all.
func (f *filler) stop() { f.ending.Store(true) }

func (f *filler) wait() int {
	<-f.ended
	return int(f.written.Load())
}

func TestSlowReadersStopTheSender(t *testing.T) {
	for _, toClient := range []bool{true, false} {
		var w queueWatch
		r := newRig(t, Options{}, func(p *probe) {
			note := func(rpcparse.Header, []byte) Verdict { w.note(p.conn); return Verdict{} }
			p.fromClient, p.fromServer = note, note
		})
		client, server, p := r.connect()
		from, to, one := server, client, response(7, 5840)
		if !toClient {
			from, to, one = client, server, request(7, 5840)
		}
		full := r.fill(from, one)
		full.stop()
		go func() {
			full.wait()
			_ = from.CloseWrite()
		}()
		got := 0
		for buf := make([]byte, len(one)); ; got += len(one) {
			if _, err := io.ReadFull(to, buf); err != nil {
				break
			}
			if !bytes.Equal(buf, one) {
				t.Fatalf("changed bytes after %d", got)
			}
		}
		if got != full.wait() {
			t.Errorf("read %d of %d bytes", got, full.wait())
		}
		if w.out.Load() > readSize+headroom || w.in.Load() > headroom {
			t.Errorf("kept %d bytes for the slow reader and %d of the sender", w.out.Load(), w.in.Load())
		}
		_, _ = client.Close(), server.Close()
		r.ends(p, CauseEnd)
	}
}

func TestClientThatDoesNotReadItsAnswersIsNotReadEither(t *testing.T) {
	var w queueWatch
	answer := response(1, 5840)
	r := newRig(t, Options{}, func(p *probe) {
		p.fromClient = func(rpcparse.Header, []byte) Verdict {
			w.note(p.conn)
			return Verdict{Action: Drop, ToClient: answer}
		}
	})
	client, _, _ := r.connect()
	const calls = 4000
	go func() {
		for i := range uint32(calls) {
			if _, err := client.Write(request(i, 100)); err != nil {
				return
			}
		}
	}()
	var last uint64
	r.eventually("the client has to wait", func() bool {
		time.Sleep(50 * time.Millisecond)
		now := r.group.Stats().Client.PDUs
		stuck := now == last && now > 0
		last = now
		return stuck
	})
	for range calls {
		r.expect(client, answer)
	}
	if w.out.Load() > maxQueued+int64(len(answer)) {
		t.Errorf("%d bytes were kept for the client, limit %d", w.out.Load(), maxQueued)
	}
}

func TestIdleConnectionHoldsNoBuffer(t *testing.T) {
	r := newRig(t, Options{Loops: 1}, func(p *probe) {
		p.fromServer = func(rpcparse.Header, []byte) Verdict {
			if p.conn.client.in != nil || p.conn.client.out != nil || p.conn.server.out != nil {
				t.Error("a buffer is left")
			}
			return Verdict{}
		}
	})
	client, server, _ := r.connect()
	for i := range uint32(10) {
		sent := request(i, 5840)
		r.write(client, sent[:1000])
		r.expectNothing(server)
		r.write(client, sent[1000:])
		r.expect(server, sent)
	}
	r.write(server, response(1, 100))
	r.expect(client, response(1, 100))
}
