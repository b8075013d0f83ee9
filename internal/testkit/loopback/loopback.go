// Package loopback makes servers of a few lines for tests: ones that answer
// nonsense, that only count, or that pass bytes on.
package loopback

import (
	"net"
	"testing"
)

// Serve calls handle, in its accept loop, with every connection to the address
// that it returns. The listener is open until the test ends; the connections are
// handle's to close.
func Serve(t testing.TB, handle func(*net.TCPConn)) (addr string) {
	t.Helper()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.AcceptTCP()
			if err != nil {
				return
			}
			handle(c)
		}
	}()
	return l.Addr().String()
}
