package main

import (
	"net"
	"testing"
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
	p, err := newPinger(listen(t))
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	c := p.conn
	if c.Group == 0 {
		t.Error("bind_ack names no association")
	}
	handle, err := c.NspiBind()
	if err != nil || handle.IsZero() {
		t.Fatalf("NspiBind: handle %s, %v", handle, err)
	}
	c.Release() // buffers come back by themselves
	if err := p.do(); err != nil {
		t.Fatal(err)
	}
	if err := c.NspiUnbind(handle); err != nil {
		t.Fatal(err)
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
