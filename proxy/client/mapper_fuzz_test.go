package client

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/tower"
)

// recording is a connection on which the server has said everything already.
type recording struct {
	net.Conn
	said   *bytes.Reader
	piece  int
	closed bool
}

func (r *recording) Read(b []byte) (int, error)  { return r.said.Read(b[:min(len(b), r.piece)]) }
func (r *recording) Write(b []byte) (int, error) { return len(b), nil }
func (r *recording) SetDeadline(time.Time) error { return nil }
func (r *recording) Close() error                { r.closed = true; return nil }

// FuzzAnswers: whatever a server says, Map returns a good list or an error with
// a name, and never a list of what was not there.
func FuzzAnswers(f *testing.F) {
	ack, good := bindAck(1, accepted), encode(mapAnswer(49678, 49670))
	first := mapAnswer(1, 2)
	first.Handle = tower.Handle{5: 1}
	f.Add(slices.Concat(ack, wholePDU(2, good), wholePDU(3, good)), uint16(9))
	f.Add(slices.Concat(ack, wholePDU(2, encode(first)), wholePDU(3, good)), uint16(9000))
	f.Add(slices.Concat(ack, responsePDU(2, rpcparse.FlagFirstFrag, good[:80]), responsePDU(2, rpcparse.FlagLastFrag, good[80:])), uint16(1))
	f.Add(slices.Concat(ack, faultPDU(2)), uint16(100))
	f.Add(must(rpcparse.AppendBindNak(nil, rpcparse.BindNak{Header: headerOf(rpcparse.PTypeBindNak, 1)})), uint16(100))
	f.Fuzz(func(t *testing.T, said []byte, piece uint16) {
		r := &recording{said: bytes.NewReader(said), piece: int(piece) + 1}
		c := newMapper(r)
		err := c.bind(context.Background())
		for err == nil {
			var got []uint16
			if got, err = c.Map(context.Background(), nspi.Interface); err == nil {
				sorted := slices.IsSorted(got) && len(slices.Compact(slices.Clone(got))) == len(got)
				if len(got) == 0 || len(got) > maxPorts || got[0] == 0 || !sorted {
					t.Fatalf("ports %v", got)
				}
			} else if isAnswer(err) {
				if r.closed {
					t.Fatal("closed by an answer")
				}
				err = nil
			}
		}
		checkNamed(t, err)
		if !r.closed {
			t.Fatalf("still open after %v", err)
		}
	})
}

// isAnswer reports whether the endpoint mapper has answered with an error: the connection
// is whole.
func isAnswer(err error) bool {
	var status *StatusError
	return errors.Is(err, ErrNotRegistered) || errors.As(err, &status)
}

func checkNamed(t *testing.T, err error) {
	t.Helper()
	for _, target := range []error{ErrProtocol, ErrLimit, io.EOF} {
		if errors.Is(err, target) {
			return
		}
	}
	for _, target := range []any{new(*Fault), new(*Nak), new(*Rejected), new(*rpcparse.Error)} {
		if errors.As(err, target) {
			return
		}
	}
	t.Fatalf("error without a name: %v", err)
}
