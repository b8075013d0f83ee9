package relay

import (
	"bytes"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// stream is one direction's PDUs and the pieces they are written in.
type stream struct {
	pdus   [][]byte
	pieces []int
}

func drawStream(t *rapid.T, name string, ptype, big rpcparse.PType) (s stream) {
	n := rapid.IntRange(1, 12).Draw(t, name+" PDUs")
	for i := range n {
		if rapid.IntRange(0, 9).Draw(t, name+" big") == 0 {
			s.pdus = append(s.pdus, pdu(big, uint32(i), rapid.IntRange(5841, 65535).Draw(t, name+" size")))
			continue
		}
		s.pdus = append(s.pdus, pdu(ptype, uint32(i), rapid.IntRange(24, 5840).Draw(t, name+" size")))
	}
	total := len(slices.Concat(s.pdus...))
	biggest := rapid.SampledFrom([]int{1, 3, 17, 1500, 9000, 70000}).Draw(t, name+" biggest piece")
	for total > 0 && len(s.pieces) < 200 { // the rest in one piece
		k := rapid.IntRange(1, biggest).Draw(t, name+" piece")
		k = min(k, total)
		s.pieces = append(s.pieces, k)
		total -= k
	}
	return s
}

// writeTo writes the stream in its pieces.
func (s stream) writeTo(c net.Conn) error {
	all := slices.Concat(s.pdus...)
	for _, k := range s.pieces {
		if _, err := c.Write(all[:k]); err != nil {
			return err
		}
		all = all[k:]
	}
	_, err := c.Write(all)
	return err
}

func TestBytesArriveAsSentHoweverSplit(t *testing.T) {
	r := newRig(t, Options{}, nil)
	rapid.Check(t, func(t *rapid.T) {
		up := drawStream(t, "up", rpcparse.PTypeRequest, rpcparse.PTypeBind)
		down := drawStream(t, "down", rpcparse.PTypeResponse, rpcparse.PTypeBindAck)
		var seen [2][][]byte
		keep := func(i int) func(rpcparse.Header, []byte) Verdict {
			return func(_ rpcparse.Header, pdu []byte) Verdict {
				seen[i] = append(seen[i], bytes.Clone(pdu))
				return Verdict{}
			}
		}
		r.configure(func(p *probe) { p.fromClient, p.fromServer = keep(0), keep(1) })
		client, server, p := r.connect()
		got := make(chan []byte, 2)
		for _, c := range []struct {
			out  stream
			to   *net.TCPConn
			from *net.TCPConn
		}{{up, client, server}, {down, server, client}} {
			go func() {
				if err := c.out.writeTo(c.to); err != nil {
					t.Errorf("write: %v", err)
				}
				_ = c.to.CloseWrite()
			}()
		}
		go func() { b, _ := io.ReadAll(server); got <- b }()
		fromServer, _ := io.ReadAll(client)
		fromClient := <-got
		r.ends(p, CauseEnd)
		if !bytes.Equal(fromClient, slices.Concat(up.pdus...)) || !bytes.Equal(fromServer, slices.Concat(down.pdus...)) {
			t.Fatalf("streams changed on the way: %d and %d bytes", len(fromClient), len(fromServer))
		}
		for i, want := range [][][]byte{up.pdus, down.pdus} {
			if !slices.EqualFunc(seen[i], want, bytes.Equal) {
				t.Fatalf("direction %d: the handler saw %d PDUs, not the %d sent", i, len(seen[i]), len(want))
			}
		}
	})
}

func TestLargestPDUOneByteAtATime(t *testing.T) {
	r := newRig(t, Options{Loops: 1}, nil)
	client, server, p := r.connect()
	sent := pdu(rpcparse.PTypeBind, 1, 65535)
	go func() {
		for i := range sent {
			_, _ = client.Write(sent[i : i+1])
		}
		_ = client.CloseWrite()
	}()
	r.expect(server, sent)
	r.expectEnd(server)
	_ = server.Close()
	r.ends(p, CauseEnd)
}

func TestPipelinedRequestsKeepTheirOrder(t *testing.T) {
	r := newRig(t, Options{}, nil)
	client, server, _ := r.connect()
	var all []byte
	for i := range uint32(3000) {
		all = append(all, request(i, 24+int(i)%900)...)
	}
	go r.write(client, all)
	r.expect(server, all)
}

// segments returns how many segments with data a socket has received. Without
// delay on the sender's side, a write is a segment (the loopback device takes
// 64 KiB in one).
func segments(t testing.TB, c *net.TCPConn) uint32 {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var info *unix.TCPInfo
	_ = raw.Control(func(fd uintptr) { info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO) })
	if err != nil {
		t.Fatal(err)
	}
	return info.Data_segs_in
}

func TestEachServerPDUIsOneWrite(t *testing.T) {
	r := newRig(t, Options{}, nil)
	client, server, _ := r.connect()
	buf := make([]byte, 8192)
	for i := range uint32(50) {
		sent := response(i, 5840)
		r.write(server, sent[:1000]) // a PDU in two segments leaves in one
		r.write(server, sent[1000:])
		n, err := client.Read(buf) // one receive returns all of it
		r.must(err)
		if !bytes.Equal(buf[:n], sent) {
			t.Fatalf("response %d: one receive got %d bytes of %d", i, n, len(sent))
		}
	}
	if n := segments(t, client); n != 50 {
		t.Errorf("50 responses came in %d segments", n)
	}
}

func TestPDUsOfOneReadLeaveInOneWrite(t *testing.T) {
	r := newRig(t, Options{}, nil)
	client, server, _ := r.connect()
	var sent []byte
	for i := range uint32(7) {
		sent = append(sent, request(i, 300)...)
	}
	incomplete := request(8, 300)
	r.write(client, append(slices.Clone(sent), incomplete[:100]...))
	r.expect(server, sent)
	if n := segments(t, server); n != 1 {
		t.Errorf("7 requests of one read came in %d segments", n)
	}
	r.expectNothing(server)
	r.write(client, incomplete[100:])
	r.expect(server, incomplete)
	if n := segments(t, server); n != 2 {
		t.Errorf("the PDU completed by a second read: %d segments in all, want 2", n)
	}
}

func TestHandlerMayChangeForwardedPDUInPlace(t *testing.T) {
	r := newRig(t, Options{}, func(p *probe) {
		p.fromServer = func(_ rpcparse.Header, pdu []byte) Verdict {
			pdu[30] ^= 0xff
			return Verdict{}
		}
	})
	client, server, _ := r.connect()
	sent := response(1, 100)
	r.write(server, sent)
	sent[30] ^= 0xff
	r.expect(client, sent)
}

func TestForeignTrafficPassesIfConfigured(t *testing.T) {
	r := newRig(t, Options{NonRPC: PassNonRPC, HandshakeTimeout: 50 * time.Millisecond}, nil)
	client, server, p := r.connect()
	r.write(client, []byte("GET / HTTP/1.1\r\n"))
	r.expect(server, []byte("GET / HTTP/1.1\r\n"))
	time.Sleep(100 * time.Millisecond) // the handshake timeout does not apply
	r.write(server, []byte{5, 0, 99})  // nor does anything look like an error
	r.expect(client, []byte{5, 0, 99})
	r.must(client.CloseWrite())
	r.expectEnd(server)
	r.write(server, []byte("bye"))
	r.must(server.Close())
	r.expect(client, []byte("bye"))
	r.expectEnd(client)
	r.ends(p, CauseEnd)
}

func TestForeignTrafficOfTheServerFirstPassesIfConfigured(t *testing.T) {
	r := newRig(t, Options{NonRPC: PassNonRPC}, nil)
	client, server, _ := r.connect()
	r.write(client, []byte{5, 0}) // could still be a PDU
	r.expectNothing(server)
	r.write(server, []byte("ncacn_http/1.0"))
	r.expect(client, []byte("ncacn_http/1.0"))
	r.expect(server, []byte{5, 0}) // the buffered bytes of the client follow
}

func TestForeignTrafficIsClosedByDefault(t *testing.T) {
	r := newRig(t, Options{}, nil)
	client, server, p := r.connect()
	r.write(client, []byte("GET / HTTP/1.1\r\n"))
	r.expectEnd(server)
	r.expectEnd(client)
	_, _ = client.Close(), server.Close()
	if why := r.ends(p, CauseNotRPC); rpcparse.ClassOf(why.Err) != rpcparse.ClassInvalid {
		t.Errorf("the reason is %v, want the framer's error", why)
	}
}

// faultingProbe answers a stream that is no longer one.
type faultingProbe struct {
	*probe
	answer []byte
	head   chan []byte
}

var _ StreamHandler = faultingProbe{}

func (f faultingProbe) NotRPC(rpcparse.Direction) {}

func (f faultingProbe) ServerEnded() {}

func (f faultingProbe) Malformed(_ rpcparse.Direction, head []byte, _ error) []byte {
	f.head <- bytes.Clone(head)
	return f.answer
}

func TestMalformedStreamIsAnsweredAndClosed(t *testing.T) {
	for _, side := range []struct {
		name   string
		cause  Cause
		client bool
	}{{"client", CauseClientMalformed, true}, {"server", CauseServerMalformed, false}} {
		t.Run(side.name, func(t *testing.T) {
			r := newRig(t, Options{NonRPC: PassNonRPC}, nil)
			answer, head := pdu(rpcparse.PTypeFault, 9, 32), make(chan []byte, 1)
			r.listen(ListenOptions{Route: func(c *Conn, _ int) Route {
				return Route{Handler: faultingProbe{r.newHandler(c).(*probe), answer, head}, Server: r.target()}
			}})
			client, server, p := r.connect()
			good := request(1, 100)
			r.write(client, good)
			r.expect(server, good)
			from := client
			if !side.client {
				from = server
			}
			bad := []byte{5, 0, 99} // no such PDU type
			r.write(from, bad)
			r.expect(client, answer)
			if got := <-head; !bytes.Equal(got, bad) {
				t.Errorf("the handler was shown % x", got)
			}
			r.expectEnd(client)
			r.expectEnd(server)
			_, _ = client.Close(), server.Close()
			r.ends(p, side.cause)
		})
	}
}
