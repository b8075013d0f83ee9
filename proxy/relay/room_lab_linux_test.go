//go:build lab

package relay

import (
	"net"
	"testing"
	"time"
)

func (f *filler) hasEnded() bool {
	select {
	case <-f.ended:
		return true
	default:
		return false
	}
}

// A server without room lives: it acknowledges every probe of its window. Without the
// proxy its client waits for it.
func TestServerWithoutRoomIsWaitedFor(t *testing.T) {
	r := newRig(t, Options{KeepAlive: time.Second}, nil)
	client, server, _ := r.connect()
	for _, c := range []*net.TCPConn{client, server} {
		r.must(c.SetDeadline(time.Now().Add(time.Minute)))
	}
	full := r.fill(client, request(1, 5840))
	time.Sleep(2 * (5*time.Second + time.Second)) // twice what a peer that is gone has
	full.stop()
	n := 0
	for buf := make([]byte, 1<<20); n < int(full.written.Load()) || !full.hasEnded(); {
		got, err := server.Read(buf)
		if n += got; err != nil {
			t.Fatalf("after %d of %d bytes: %v", n, full.written.Load(), err)
		}
	}
	r.write(server, response(1, 100))
	r.expect(client, response(1, 100))
}
