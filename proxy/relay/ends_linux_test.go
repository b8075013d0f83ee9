package relay

import (
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"golang.org/x/sys/unix"
)

// expectReset reads a reset, perhaps after some bytes.
func (r *rig) expectReset(c net.Conn) {
	r.Helper()
	buf := make([]byte, 4096)
	for {
		if _, err := c.Read(buf); err != nil {
			if !errors.Is(err, unix.ECONNRESET) {
				r.Fatalf("want a reset, got %v", err)
			}
			return
		}
	}
}

// expectRefusal connects and is reset, perhaps before connect returns.
func (r *rig) expectRefusal() {
	r.Helper()
	c, err := net.DialTCP("tcp", nil, net.TCPAddrFromAddrPort(r.ln.Addr()))
	if err == nil {
		defer func() { _ = c.Close() }()
		r.must(c.SetDeadline(time.Now().Add(testTimeout)))
		r.expectReset(c)
	} else if !errors.Is(err, unix.ECONNRESET) {
		r.Fatal(err)
	}
}

// reset closes c with a reset.
func (r *rig) reset(c *net.TCPConn) {
	r.Helper()
	r.must(c.SetLinger(0))
	r.must(c.Close())
}

func TestHalfCloseIsCarriedOver(t *testing.T) {
	for _, clientFirst := range []bool{true, false} {
		r := newRig(t, Options{}, nil)
		client, server, p := r.connect()
		first, second, send := client, server, request(1, 5000)
		answer := response(1, 5000)
		if !clientFirst {
			first, second, send, answer = server, client, answer, send
		}
		r.write(first, send)
		r.must(first.CloseWrite())
		r.expect(second, send)
		r.expectEnd(second)
		for range 3 { // the other direction goes on
			r.write(second, answer)
			r.expect(first, answer)
		}
		r.must(second.CloseWrite())
		r.expectEnd(first)
		r.ends(p, CauseEnd)
	}
}

func TestHalfCloseFollowsBytesThatWait(t *testing.T) {
	r := newRig(t, Options{}, nil)
	client, server, p := r.connect()
	full := r.fill(server, response(1, 5840))
	full.stop()
	go func() {
		full.wait()
		_ = server.CloseWrite()
	}()
	got, err := io.ReadAll(client)
	if err != nil || len(got) != full.wait() {
		t.Errorf("read %d bytes of %d before the end: %v", len(got), full.wait(), err)
	}
	r.must(client.Close())
	r.ends(p, CauseEnd)
}

func TestIncompletePDUIsNotForwardedAtTheEnd(t *testing.T) {
	r := newRig(t, Options{}, nil)
	client, server, p := r.connect()
	r.write(client, slices.Concat(request(1, 100), request(2, 100)[:99]))
	r.must(client.CloseWrite())
	r.expect(server, request(1, 100))
	r.expectEnd(server)
	r.must(server.Close())
	r.expectEnd(client)
	r.ends(p, CauseEnd)
}

func TestResetInTheMiddleOfAPDUIsCarriedOver(t *testing.T) {
	t.Run("client", func(t *testing.T) {
		r := newRig(t, Options{}, nil)
		client, server, p := r.connect()
		r.write(client, slices.Concat(request(1, 100), request(2, 100)[:50]))
		r.expect(server, request(1, 100))
		r.reset(client)
		r.expectReset(server)
		r.ends(p, CauseClientReset)
	})
	t.Run("server", func(t *testing.T) {
		r := newRig(t, Options{}, nil)
		client, server, p := r.connect()
		r.write(server, slices.Concat(response(1, 100), response(2, 100)[:50]))
		r.expect(client, response(1, 100))
		r.reset(server)
		r.expectReset(client)
		if why := r.ends(p, CauseServerReset); !errors.Is(why.Err, unix.ECONNRESET) {
			t.Errorf("the evidence is %v", why.Err)
		}
	})
}

func TestResetAfterHalfCloseIsCarriedOver(t *testing.T) {
	r := newRig(t, Options{}, nil)
	client, server, p := r.connect()
	r.must(client.CloseWrite())
	r.expectEnd(server)
	r.reset(client)
	r.ends(p, CauseClientReset)
	if _, err := server.Write(response(1, 100)); !errors.Is(err, unix.EPIPE) { // what a reset is after an end
		t.Errorf("writing to the client: %v", err)
	}
}

func TestResetIsNoticedWhileTheOtherSideIsStuck(t *testing.T) {
	r := newRig(t, Options{}, nil)
	client, server, p := r.connect()
	full := r.fill(server, response(1, 5840))
	r.reset(client)
	r.ends(p, CauseClientReset)
	full.wait()
}

func TestWordsBeforeAResetAreDelivered(t *testing.T) {
	// The server answers and closes with unread bytes, which is a reset. The answer
	// must arrive before the reset.
	r := newRig(t, Options{}, nil)
	for i := range uint32(20) {
		client, server, p := r.connect()
		r.write(client, request(i, 100))
		r.expect(server, request(i, 100)[:50])
		r.write(server, pdu(rpcparse.PTypeFault, i, 32))
		r.must(server.Close())
		r.expect(client, pdu(rpcparse.PTypeFault, i, 32))
		r.expectReset(client)
		r.ends(p, CauseServerReset)
	}
}
