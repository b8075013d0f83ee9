package captures_test

import (
	"net"
	"net/netip"
	"sync"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/capturetest"
	"github.com/nspiproxy/nspiproxy/internal/testkit/loopback"
)

// recorder writes a capture of the TCP connections that go through its taps.
type recorder struct {
	mu     sync.Mutex
	frames []capturetest.Frame
	relays sync.WaitGroup
}

// tap returns an address that leads to server. It is open until the test ends.
func (r *recorder) tap(t *testing.T, server netip.AddrPort) string {
	t.Helper()
	return loopback.Serve(t, func(client *net.TCPConn) {
		r.relays.Add(1)
		go r.relay(client, server)
	})
}

// relay moves the bytes of one connection and records each piece before it is passed on, so that no answer is recorded
// before its question.
func (r *recorder) relay(client *net.TCPConn, server netip.AddrPort) {
	defer r.relays.Done()
	defer client.Close()
	up, err := net.DialTCP("tcp", nil, net.TCPAddrFromAddrPort(server))
	if err != nil {
		return
	}
	defer up.Close()
	talk := capturetest.NewTalk()
	talk.ClientEnd, talk.ServerEnd = client.RemoteAddr().(*net.TCPAddr).AddrPort(), server
	r.record(talk.SYN)
	r.record(talk.SYNACK)
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.pump(client, up, talk.FromServer)
		client.Close()
	}()
	r.pump(up, client, talk.FromClient)
	_ = up.CloseWrite() // the server ends what it has to say
	<-done
}

// pump moves what one side says until it has said everything.
func (r *recorder) pump(to, from *net.TCPConn, segment func(uint8, []byte) capturetest.Segment) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			r.record(func() capturetest.Frame { return segment(capturetest.ACK, buf[:n]).Frame() })
			_, _ = to.Write(buf[:n]) // who does not read any more has ended, which the other direction sees
		}
		if err != nil {
			r.record(func() capturetest.Frame { return segment(capturetest.FIN|capturetest.ACK, nil).Frame() })
			return
		}
	}
}

func (r *recorder) record(frame func() capturetest.Frame) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.frames = append(r.frames, frame())
}

// file waits for the end of all connections and returns the capture.
func (r *recorder) file() []byte {
	r.relays.Wait()
	return capturetest.Pcap(capturetest.LinkEthernet, r.frames...)
}
