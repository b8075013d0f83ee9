package relay

import (
	"bytes"
	"net"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// editor is a handler that changes a PDU in place each time it is asked about
// it, holds it some times, and then forwards it.
type editor struct {
	*testing.T
	holds   int // of each PDU
	asked   int // about the PDU at hand, so far
	resumed atomic.Int32
}

// edited is what a PDU looks like when the editor has been asked about it n times.
func edited(pdu []byte, n int) []byte {
	b := slices.Clone(pdu)
	for i := range b[rpcparse.HeaderSize:] {
		b[rpcparse.HeaderSize+i] += byte(n)
	}
	return b
}

// decide checks that pdu is what the decision before has left.
func (e *editor) decide(h rpcparse.Header, pdu []byte) Verdict {
	original := request(h.CallID, int(h.FragLength))
	if h.Type == rpcparse.PTypeResponse {
		original = response(h.CallID, int(h.FragLength))
	}
	if want := edited(original, e.asked); !bytes.Equal(pdu, want) {
		e.Errorf("asked for time %d about other bytes, from %d on", e.asked+1, firstDifference(pdu, want))
	}
	copy(pdu, edited(pdu, 1))
	if e.asked++; e.asked <= e.holds {
		return Verdict{Action: Hold}
	}
	e.asked = 0
	return Verdict{}
}

func (e *editor) resume(_ rpcparse.Direction, h rpcparse.Header, pdu []byte) Verdict {
	e.resumed.Add(1)
	return e.decide(h, pdu)
}

// TestHeldPDUIsResumedAsTheHandlerLeftIt has PDUs come in pieces of many sizes,
// alone and together. Between the wakes more of the stream arrives, and another
// connection uses the loop's read buffer.
func TestHeldPDUIsResumedAsTheHandlerLeftIt(t *testing.T) {
	const holds = 3
	for _, up := range []bool{true, false} {
		for _, piece := range []int{7, 100, 1000, 5840, 1 << 20} {
			var editors [2]*editor // of the connection and of the other one
			next := 0
			r := newRig(t, Options{Loops: 1}, func(p *probe) {
				e := &editor{T: t}
				if next == 0 {
					e.holds = holds
				}
				p.fromClient, p.fromServer, p.resume = e.decide, e.decide, e.resume
				editors[next] = e
				next++
			})
			client, server, p := r.connect()
			other, otherServer, _ := r.connect()
			from, to, ptype := net.Conn(server), net.Conn(client), response
			if up {
				from, to, ptype = client, server, request
			}
			pdus := [][]byte{ptype(1, 24), ptype(2, 5840), ptype(3, 4000), ptype(4, 100), ptype(5, 1200)}
			go func() {
				for b := range slices.Chunk(slices.Concat(pdus...), piece) {
					if _, err := from.Write(b); err != nil {
						return
					}
				}
			}()
			for i, one := range pdus {
				for n := range holds {
					r.write(other, request(uint32(i), 3000))
					r.expect(otherServer, edited(request(uint32(i), 3000), 1))
					want := int32(i*holds + n + 1)
					r.eventually("the PDU is resumed", func() bool { p.conn.Wake(); return editors[0].resumed.Load() >= want })
				}
				r.expect(to, edited(one, holds+1))
			}
		}
	}
}

// Every fragment of a request is held, and resumed with its own header.
func TestHeldFragmentsAreResumedOneByOne(t *testing.T) {
	fragments := [][]byte{request(7, 5840), request(7, 5840), request(7, 300)}
	flags := []rpcparse.Flags{rpcparse.FlagFirstFrag, 0, rpcparse.FlagLastFrag}
	for i, f := range fragments {
		f[3] = byte(flags[i])
	}
	var at atomic.Int32
	r := newRig(t, Options{}, func(p *probe) {
		p.fromClient = func(rpcparse.Header, []byte) Verdict { return Verdict{Action: Hold} }
		p.resume = func(from rpcparse.Direction, h rpcparse.Header, pdu []byte) Verdict {
			i := at.Add(1) - 1
			if from != rpcparse.ClientToServer || h.Flags != flags[i] || h.CallID != 7 || !bytes.Equal(pdu, fragments[i]) {
				t.Errorf("fragment %d is resumed as %v, %+v", i, from, h)
			}
			return Verdict{}
		}
	})
	client, server, p := r.connect()
	r.write(client, slices.Concat(fragments...))
	for i, f := range fragments {
		r.eventually("the fragment is resumed", func() bool { p.conn.Wake(); return at.Load() > int32(i) })
		r.expect(server, f)
	}
}
