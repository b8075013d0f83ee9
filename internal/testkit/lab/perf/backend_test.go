package main

import (
	"net"
	"net/netip"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab/rawnspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// listen runs the backend's connections on a port of its own and returns its address.
func listen(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() { _ = serveConnections(ln) }() // ends with the listener
	return ln.Addr().String()
}

func TestBackendAnswersWhatTheLoadAsks(t *testing.T) {
	c, err := rawnspi.Dial(listen(t), netip.Addr{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Bind(0); err != nil {
		t.Fatal(err)
	}
	if c.Group == 0 {
		t.Error("bind_ack names no association")
	}
	handle, code, err := c.NspiBind()
	if err != nil || code != nspi.Success || handle.IsZero() {
		t.Fatalf("NspiBind: handle %s, %s, %v", handle, code, err)
	}
	c.Release() // buffers come back by themselves
	if _, n, err := c.Call(opnumQueryRows, make([]byte, requestStub)); err != nil || n != answerStub {
		t.Fatalf("QueryRows: %d bytes, %v", n, err)
	}
	if code, err := c.NspiUnbind(handle); err != nil || code != nspi.UnbindSuccess {
		t.Fatalf("NspiUnbind: %s, %v", code, err)
	}
}

func TestLoadNeedsNoMemoryPerRequest(t *testing.T) {
	p, err := newPinger(listen(t))
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	// Both ends run in this process: the server's share counts, too.
	if n := testing.AllocsPerRun(200, func() {
		if err := p.do(); err != nil {
			t.Error(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations per request", n)
	}
}
