package relay

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// echo answers each request of size bytes on c with answer.
func echo(c net.Conn, size int, answer []byte) {
	buf := make([]byte, size)
	for {
		if _, err := io.ReadFull(c, buf); err != nil {
			return
		}
		if _, err := c.Write(answer); err != nil {
			return
		}
	}
}

// roundTrip asks and reads the answer.
func roundTrip(t testing.TB, c net.Conn, ask, answer []byte) {
	if _, err := c.Write(ask); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, answer); err != nil {
		t.Fatal(err)
	}
}

func TestForwardingDoesNotAllocate(t *testing.T) {
	r := newRig(t, Options{Loops: 1}, nil)
	client, server, _ := r.connect()
	ask, answer := request(1, 224), response(1, 1048)
	go echo(server, len(ask), answer)
	got := make([]byte, len(answer))
	roundTrip(t, client, ask, got)
	if n := testing.AllocsPerRun(500, func() { roundTrip(t, client, ask, got) }); n != 0 {
		t.Errorf("a request and its response took %v allocations", n)
	}
	half := len(ask) / 2
	if n := testing.AllocsPerRun(500, func() { // nor when they come in pieces
		if _, err := client.Write(ask[:half]); err != nil {
			t.Fatal(err)
		}
		for r.group.loops[0].counters.client.bytes.Load()%uint64(len(ask)) != uint64(half) {
			time.Sleep(time.Microsecond)
		}
		roundTrip(t, client, ask[half:], got)
	}); n != 0 {
		t.Errorf("a split request took %v allocations", n)
	}
}

func TestVerdictsDoNotAllocate(t *testing.T) {
	answer, extra := response(9, 60), request(9, 40)
	r := newRig(t, Options{Loops: 1}, func(p *probe) {
		p.fromClient = func(h rpcparse.Header, _ []byte) Verdict {
			switch h.CallID {
			case 1:
				return Verdict{Action: Drop, ToClient: answer}
			case 2:
				return Verdict{ToServer: extra, ToClient: answer}
			}
			p.conn.Wake()
			return Verdict{Action: Hold}
		}
		p.resume = func(rpcparse.Direction, rpcparse.Header, []byte) Verdict {
			return Verdict{Action: Drop, ToClient: answer}
		}
	})
	client, server, _ := r.connect()
	go func() { _, _ = io.Copy(io.Discard, server) }()
	got := make([]byte, len(answer))
	for id, what := range []string{1: "dropped", 2: "forwarded, with two more", 3: "pending"} {
		ask := request(uint32(id), 224)
		if n := testing.AllocsPerRun(500, func() { roundTrip(t, client, ask, got) }); what != "" && n != 0 {
			t.Errorf("a request that is %s took %v allocations", what, n)
		}
	}
}

// BenchmarkRoundTrip compares a request and its response over direct connections
// with the same through a relay, 16 connections per processor. Client, relay and
// server share the processors and one Go scheduler: what matters is the ratio.
func BenchmarkRoundTrip(b *testing.B) {
	ask, answer := request(1, 224), response(1, 1048)
	run := func(b *testing.B, r *rig, dial func() net.Conn) {
		go func() {
			for {
				c, err := r.server.Accept()
				if err != nil {
					return
				}
				go func() {
					defer func() { _ = c.Close() }()
					echo(c, len(ask), answer)
				}()
			}
		}()
		b.ReportAllocs()
		b.SetBytes(int64(len(ask) + len(answer)))
		b.SetParallelism(16)
		b.RunParallel(func(pb *testing.PB) {
			client := dial()
			defer func() { _ = client.Close() }()
			for got := make([]byte, len(answer)); pb.Next(); {
				roundTrip(b, client, ask, got)
			}
		})
	}
	b.Run("direct", func(b *testing.B) {
		r := newRig(b, Options{}, nil)
		run(b, r, func() net.Conn {
			c, err := net.Dial("tcp", r.server.Addr().String())
			r.must(err)
			return c
		})
	})
	b.Run("relay", func(b *testing.B) {
		r := newRig(b, Options{}, nil)
		run(b, r, func() net.Conn { return r.client() })
	})
}
