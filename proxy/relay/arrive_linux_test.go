package relay

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// arrival is what a Router can know of a client.
type arrival struct {
	client, peer, local, reached netip.AddrPort
	head                         Head
	headed                       bool
}

// listenFor adds a listener that waits for what o says, and reports arrivals and
// ends of connections that had no handler.
func (r *rig) listenFor(o ListenOptions) (<-chan arrival, <-chan CloseReason) {
	r.Helper()
	arrivals, unrouted := make(chan arrival, 100), make(chan CloseReason, 100)
	route := r.to(r.target())
	o.Route = func(c *Conn, attempt int) Route {
		a := arrival{client: c.Client(), peer: c.Peer(), local: c.Local(), reached: c.Reached()}
		a.head, a.headed = c.Head()
		arrivals <- a
		return route(c, attempt)
	}
	o.Unrouted = func(_ *Conn, why CloseReason) { unrouted <- why }
	r.listen(o)
	return arrivals, unrouted
}

// fromEveryone wants a PROXY header from every peer.
func fromEveryone(netip.Addr) bool { return true }

// dribble writes b one byte per segment.
func (r *rig) dribble(c net.Conn, b []byte) {
	r.Helper()
	for i := range b {
		r.write(c, b[i:i+1])
	}
}

func addrOf(a net.Addr) netip.AddrPort { return a.(*net.TCPAddr).AddrPort() }

func TestHeadIsKnownBeforeTheRouteIsAskedFor(t *testing.T) {
	r := newRig(t, Options{}, nil)
	arrivals, _ := r.listenFor(ListenOptions{Head: true})
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		sent := bindPDU(order, 0x55667788)
		for cut := range headSize + 2 {
			client := r.client()
			r.write(client, sent[:cut])
			if cut > 0 && cut < headSize { // the loop has seen them and goes on waiting
				r.expectNoArrival(arrivals)
			}
			r.write(client, sent[cut:])
			a := await(r, arrivals)
			if !a.headed || a.head != (Head{Group: 0x55667788}) || a.local != r.ln.Addr() {
				t.Fatalf("%v, cut at %d: told of %+v", order, cut, a)
			}
			server := r.accept()
			r.expect(server, sent) // the peeked bytes are forwarded as well
			r.write(server, response(1, 100))
			r.expect(client, response(1, 100))
		}
	}
}

// expectNoArrival makes sure that no route is asked for, for a moment.
func (r *rig) expectNoArrival(arrivals <-chan arrival) {
	r.Helper()
	select {
	case a := <-arrivals:
		r.Fatalf("a route was asked for: %+v", a)
	case <-time.After(2 * time.Millisecond):
	}
}

func TestHeadOneByteAtATime(t *testing.T) {
	r := newRig(t, Options{}, nil)
	arrivals, _ := r.listenFor(ListenOptions{Head: true})
	client := r.client()
	sent := slices.Concat(bindPDU(binary.BigEndian, 9), request(2, 100))
	r.dribble(client, sent)
	if a := await(r, arrivals); !a.headed || a.head.Group != 9 {
		t.Errorf("told of %+v", a)
	}
	r.expect(r.accept(), sent)
}

func TestWhatIsNoBindIsRoutedAtOnce(t *testing.T) {
	for name, first := range map[string][]byte{"not DCE/RPC": []byte("G"), "another PDU": request(1, 24)[:16]} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, Options{NonRPC: PassNonRPC}, nil)
			arrivals, _ := r.listenFor(ListenOptions{Head: true})
			client := r.client()
			r.write(client, first)
			if a := await(r, arrivals); a.headed {
				t.Errorf("told of %+v", a)
			}
			server := r.accept()
			rest := make([]byte, 8)
			r.write(client, rest)
			r.expect(server, slices.Concat(first, rest))
		})
	}
}

func TestHalfCloseBehindTheHeadIsCarriedOver(t *testing.T) {
	r := newRig(t, Options{}, nil)
	r.listenFor(ListenOptions{Head: true, ProxyHeader: fromEveryone})
	client := r.client()
	sent := bindPDU(binary.LittleEndian, 0)
	r.write(client, slices.Concat([]byte("PROXY UNKNOWN\r\n"), sent))
	r.must(client.CloseWrite())
	server := r.accept()
	r.expect(server, sent)
	r.expectEnd(server)
	r.must(server.Close())
	r.expectEnd(client)
	r.ends(r.handler(), CauseEnd)
}

func TestClientThatEndsTooEarlyIsClosed(t *testing.T) {
	for name, c := range map[string]struct {
		o     ListenOptions
		sent  string
		cause Cause
	}{
		"nothing of a head":   {ListenOptions{Head: true}, "", CauseEnd},
		"part of a head":      {ListenOptions{Head: true}, "\x05\x00\x0b", CauseEnd},
		"nothing of a header": {ListenOptions{ProxyHeader: fromEveryone}, "", CauseEnd}, // a health check
		"part of a header":    {ListenOptions{ProxyHeader: fromEveryone}, "PROXY TCP4 ", CauseProxyHeader},
		"a header alone":      {ListenOptions{ProxyHeader: fromEveryone, Head: true}, "PROXY UNKNOWN\r\n", CauseEnd},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, Options{}, nil)
			arrivals, unrouted := r.listenFor(c.o)
			client := r.client()
			r.write(client, []byte(c.sent))
			r.must(client.CloseWrite())
			why := await(r, unrouted)
			if why.Cause != c.cause || (why.Err != nil) != (c.cause != CauseEnd) {
				t.Errorf("closed because of %v", why)
			}
			if len(arrivals) != 0 {
				t.Error("a route was asked for")
			}
			r.eventually("it is counted", func() bool { return r.group.Stats().Closed[c.cause] == 1 })
		})
	}
}

func TestClientThatResetsWhileItArrivesIsNoticed(t *testing.T) {
	r := newRig(t, Options{}, nil)
	_, unrouted := r.listenFor(ListenOptions{Head: true})
	for _, sent := range []string{"", "\x05"} {
		client := r.client()
		r.write(client, []byte(sent))
		r.reset(client)
		if why := await(r, unrouted); why.Cause != CauseClientReset {
			t.Errorf("closed because of %v", why)
		}
	}
}

func TestSilentClientIsNotWaitedForForEver(t *testing.T) {
	r := newRig(t, Options{HandshakeTimeout: 50 * time.Millisecond}, nil)
	for _, o := range []ListenOptions{{Head: true}, {ProxyHeader: fromEveryone}} {
		_, unrouted := r.listenFor(o)
		client := r.client()
		if why := await(r, unrouted); why.Cause != CauseHandshakeTimeout {
			t.Errorf("closed because of %v", why)
		}
		r.expectReset(client)
	}
}

func TestArrivingClientIsClosedAtTheDeadlineOfAShutdown(t *testing.T) {
	r := newRig(t, Options{}, nil)
	_, unrouted := r.listenFor(ListenOptions{Head: true})
	client := r.client()
	r.eventually("it was accepted", func() bool { return r.group.Stats().Accepted == 1 })
	now, cancel := context.WithCancel(t.Context())
	cancel()
	_ = r.group.Shutdown(now)
	if why := await(r, unrouted); why.Cause != CauseShutdown {
		t.Errorf("closed because of %v", why)
	}
	r.expectEnd(client)
}

func TestProxyHeaderTellsTheClient(t *testing.T) {
	for name, c := range proxyHeaders {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, Options{}, nil)
			arrivals, _ := r.listenFor(ListenOptions{ProxyHeader: fromEveryone})
			client := r.client()
			sent := bindPDU(binary.LittleEndian, 1)
			r.write(client, slices.Concat(c.header, sent))
			a := await(r, arrivals)
			peer := addrOf(client.LocalAddr())
			want := peer
			if c.client != "" {
				want = netip.MustParseAddrPort(c.client)
			}
			to := r.ln.Addr()
			if c.to != "" {
				to = netip.MustParseAddrPort(c.to)
			}
			if a.client != want || a.peer != peer || a.local != r.ln.Addr() || a.reached != to {
				t.Errorf("told of %+v, want client %v, peer %v and destination %v", a, want, peer, to)
			}
			r.expect(r.accept(), sent)
		})
	}
}

func TestProxyHeaderAndHeadHoweverSplit(t *testing.T) {
	r := newRig(t, Options{}, nil)
	arrivals, _ := r.listenFor(ListenOptions{ProxyHeader: fromEveryone, Head: true})
	headers := make([][]byte, 0, len(proxyHeaders))
	clients := make([]string, 0, len(proxyHeaders))
	for _, c := range proxyHeaders {
		if len(c.header) < 1000 { // a byte at a time is slow
			headers, clients = append(headers, c.header), append(clients, c.client)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		i := rapid.IntRange(0, len(headers)-1).Draw(t, "header")
		group := rapid.Uint32().Draw(t, "group")
		order := rapid.SampledFrom([]binary.ByteOrder{binary.LittleEndian, binary.BigEndian}).Draw(t, "order")
		stream := slices.Concat(bindPDU(order, group), request(2, 500), request(3, 24))
		rest := slices.Concat(headers[i], stream)
		biggest := rapid.SampledFrom([]int{1, 2, 13, 60, 300, 3000}).Draw(t, "biggest piece")
		sizes := rapid.SliceOfN(rapid.IntRange(1, biggest), 1, 20).Draw(t, "pieces")
		client := r.client()
		go func() {
			for i := 0; len(rest) > 0; i++ {
				k := min(sizes[i%len(sizes)], len(rest))
				if _, err := client.Write(rest[:k]); err != nil {
					return
				}
				rest = rest[k:]
			}
		}()
		a := await(r, arrivals)
		if !a.headed || a.head.Group != group {
			t.Fatalf("told of %+v, want group %d", a, group)
		}
		if want := clients[i]; want != "" && a.client.String() != want || want == "" && a.client != addrOf(client.LocalAddr()) {
			t.Fatalf("told of %+v, want client %q", a, want)
		}
		server := r.accept()
		r.expect(server, stream)
		_, _ = client.Close(), server.Close()
		r.ends(r.handler(), CauseEnd)
	})
}

func TestConnectionWithoutAGoodProxyHeaderIsReset(t *testing.T) {
	r := newRig(t, Options{}, nil)
	arrivals, unrouted := r.listenFor(ListenOptions{ProxyHeader: fromEveryone})
	for name, c := range badProxyHeaders {
		client := r.client()
		r.write(client, c.header)
		why := await(r, unrouted)
		if why.Cause != CauseProxyHeader || why.Err == nil || !strings.Contains(why.Err.Error(), c.why) {
			t.Errorf("%s: closed because of %v, want %q", name, why, c.why)
		}
		r.expectReset(client)
	}
	if len(arrivals) != 0 {
		t.Error("a route was asked for")
	}
}

func TestProxyHeaderIsNotAcceptedFromOthers(t *testing.T) {
	for _, o := range []ListenOptions{
		{},
		{ProxyHeader: func(peer netip.Addr) bool { return peer != netip.MustParseAddr("127.0.0.1") }},
		{ProxyHeader: func(netip.Addr) bool { return false }, Head: true},
	} {
		r := newRig(t, Options{}, nil)
		arrivals, _ := r.listenFor(o)
		client := r.client()
		r.write(client, slices.Concat(proxyHeaders["v1 IPv4"].header, bindPDU(binary.LittleEndian, 1)))
		if a := await(r, arrivals); a.client != addrOf(client.LocalAddr()) || a.headed {
			t.Errorf("told of %+v", a)
		}
		r.expectEnd(client)
		server := r.accept()
		r.expectEnd(server)
		_, _ = client.Close(), server.Close()
		r.ends(r.handler(), CauseNotRPC)
	}
}

func TestPanickingProxyHeaderOptionCostsItsConnectionOnly(t *testing.T) {
	r := newRig(t, Options{Loops: 1}, nil)
	other, otherServer, _ := r.connect()
	_, unrouted := r.listenFor(ListenOptions{ProxyHeader: func(netip.Addr) bool { panic("who?") }})
	r.expectRefusal()
	if why := await(r, unrouted); why.Cause != CausePanic {
		t.Errorf("closed because of %v", why)
	}
	r.write(other, request(1, 100))
	r.expect(otherServer, request(1, 100))
}
