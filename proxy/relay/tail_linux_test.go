package relay

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// clog sends PDUs of the server to a client that does not read, until the relay
// does not take more. It returns how many bytes it has let through.
func (r *rig) clog(server *net.TCPConn) (accepted int) {
	r.Helper()
	for sent := 0; ; {
		r.write(server, response(1, 5840))
		sent += 5840
		deadline := time.Now().Add(200 * time.Millisecond)
		for r.group.Stats().Server.Bytes != uint64(sent) {
			if time.Now().After(deadline) {
				return int(r.group.Stats().Server.PDUs) * 5840
			}
			time.Sleep(50 * time.Microsecond)
		}
	}
}

// readSlowly reads until the end, at some 10 MB/s, and returns how many bytes.
func readSlowly(c io.Reader) (got int, err error) {
	for chunk := make([]byte, 100<<10); err == nil; time.Sleep(10 * time.Millisecond) {
		var n int
		n, err = io.ReadFull(c, chunk)
		got += n
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return got, err
}

// closeOnRequest makes connections that a request closes.
func closeOnRequest(p *probe) {
	p.fromClient = func(rpcparse.Header, []byte) Verdict { return Verdict{Action: Close} }
}

func TestSlowClientGetsAllThatWasAcceptedForIt(t *testing.T) {
	const drain = 100 * time.Millisecond
	t.Run("before a verdict", func(t *testing.T) {
		r := newRig(t, Options{DrainTimeout: drain}, closeOnRequest)
		client, server, p := r.connect()
		want := r.clog(server)
		r.write(client, request(1, 100))
		r.expectEnd(server)
		time.Sleep(3 * drain)
		if got, err := readSlowly(client); got != want || err != nil {
			t.Errorf("read %d bytes of %d: %v", got, want, err)
		}
		r.must(client.Close())
		r.must(server.Close())
		r.ends(p, CauseVerdict)
	})
	t.Run("before the server's end", func(t *testing.T) {
		r := newRig(t, Options{DrainTimeout: drain}, nil)
		client, server, p := r.connect()
		want := r.clog(server) + 5840
		r.must(server.Close())
		time.Sleep(3 * drain)
		if got, err := readSlowly(client); got != want || err != nil {
			t.Errorf("read %d bytes of %d: %v", got, want, err)
		}
		r.must(client.Close())
		r.ends(p, CauseEnd)
	})
}

func TestClientThatReadsNothingIsGivenUp(t *testing.T) {
	const drain = 20 * time.Millisecond
	t.Run("after a verdict", func(t *testing.T) {
		r := newRig(t, Options{DrainTimeout: drain}, closeOnRequest)
		client, server, p := r.connect()
		r.clog(server)
		r.write(client, request(1, 100))
		r.ends(p, CauseVerdict)
	})
	t.Run("after the server's end", func(t *testing.T) {
		r := newRig(t, Options{DrainTimeout: drain}, func(p *probe) {
			p.fromServer = func(rpcparse.Header, []byte) Verdict { p.conn.HandshakeDone(); return Verdict{} }
		})
		_, server, p := r.connect()
		r.clog(server)
		r.must(server.Close())
		r.ends(p, CauseEnd)
	})
}
