package relay

import (
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
)

// TestOneAddressDoesNotTakeAllConnections, as long as it likes: others get theirs, and it gets them again when there is room.
func TestOneAddressDoesNotTakeAllConnections(t *testing.T) {
	var refused atomic.Int32
	r := newRig(t, Options{MaxConnections: 50}, nil)
	r.listen(ListenOptions{Route: r.to(r.target()), Refused: func(c netip.AddrPort, held int) {
		if c.Addr() == netip.MustParseAddr("127.0.0.1") && held == 40 {
			refused.Add(1)
		}
	}})
	type pair struct {
		client, server *net.TCPConn
		p              *probe
	}
	var hog []pair
	for range 40 {
		client, server, p := r.connect()
		hog = append(hog, pair{client, server, p})
	}
	for range 3 {
		r.expectRefusal()
	}
	if n := refused.Load(); n != 3 {
		t.Errorf("%d refusals were reported", n)
	}
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	for range 5 {
		c, err := d.Dial("tcp", r.ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		server, p := r.accept(), r.handler()
		r.write(c, request(1, 100))
		r.expect(server, request(1, 100))
		defer func() { c.Close(); server.Close(); r.ends(p, CauseEnd) }()
	}
	for _, h := range hog[:10] {
		_, _ = h.client.Close(), h.server.Close()
		r.ends(h.p, CauseEnd)
	}
	client, server, p := r.connect()
	for _, h := range append(hog[10:], pair{client, server, p}) {
		_, _ = h.client.Close(), h.server.Close()
		r.ends(h.p, CauseEnd)
	}
	if s := r.group.Stats(); s.Crowded != 3 || s.Refused != 0 {
		t.Errorf("%+v", s)
	}
}
