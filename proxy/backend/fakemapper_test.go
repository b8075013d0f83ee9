package backend

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/tower"
)

// fakeMapper is an endpoint mapper that says what it is told to.
type fakeMapper struct {
	addr netip.AddrPort
	stop func() // ends it and its connections

	mu        sync.Mutex
	ports     []uint16
	stopped   bool
	mute      bool // it takes connections, and says nothing
	conns     map[net.Conn]struct{}
	binds     int // connections that have been bound
	asked     int
	askedNSPI int  // of these, for NSPI
	refuses   bool // it answers questions for other interfaces than NSPI by a status
}

func newFakeMapper(t testing.TB, ports ...uint16) *fakeMapper {
	l := loopback(t)
	m := &fakeMapper{addr: addrOf(l), ports: ports, conns: make(map[net.Conn]struct{})}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			m.set(func() {
				if m.conns[c] = struct{}{}; m.stopped {
					c.Close()
				}
			})
			serving.Go(func() { m.serve(c) })
		}
	})
	m.stop = func() {
		l.Close()
		m.set(func() { m.stopped = true })
		m.disconnect()
		serving.Wait()
	}
	t.Cleanup(m.stop)
	return m
}

// set changes what it says.
func (m *fakeMapper) set(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

// count reads one of its counters.
func (m *fakeMapper) count(n *int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return *n
}

// disconnect ends all its connections.
func (m *fakeMapper) disconnect() {
	m.set(func() {
		for c := range m.conns {
			c.Close()
		}
		clear(m.conns)
	})
}

func (m *fakeMapper) serve(c net.Conn) {
	defer c.Close()
	var buf []byte
	for {
		h, err := rpcparse.ParseHeader(buf)
		if err == nil && int(h.FragLength) <= len(buf) {
			whole := buf[:h.FragLength]
			buf = buf[h.FragLength:]
			if pdu := m.answer(h, whole); pdu != nil {
				_, _ = c.Write(pdu) // fails when the connection has ended, as the next read will
			}
			continue
		}
		b := make([]byte, 4096)
		n, err := c.Read(b)
		if err != nil {
			return
		}
		buf = append(buf, b[:n]...)
	}
}

// answer returns what is said to a PDU.
func (m *fakeMapper) answer(h rpcparse.Header, asked []byte) (pdu []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mute {
		return nil
	}
	answer := rpcparse.Header{Flags: rpcparse.FlagsWhole, Drep: rpcparse.DrepLittleEndian, CallID: h.CallID}
	var err error
	if h.Type == rpcparse.PTypeBind {
		m.binds++
		answer.Type = rpcparse.PTypeBindAck
		pdu, err = rpcparse.AppendBindAck(nil, rpcparse.BindAck{
			Header: answer, MaxXmitFrag: 5840, MaxRecvFrag: 5840, AssocGroupID: 1,
			Results: rpcparse.NewResultList(rpcparse.ContextResult{Transfer: rpcparse.SyntaxNDR}),
		})
	} else {
		m.asked++
		other := !isForNSPI(asked)
		if !other {
			m.askedNSPI++
		}
		pdu, err = rpcparse.AppendResponse(nil, rpcparse.Response{Header: answer, Stub: m.stub(other && m.refuses)})
	}
	if err != nil {
		panic(err)
	}
	return pdu
}

// isForNSPI reports whether an ept_map request is for NSPI.
func isForNSPI(pdu []byte) bool {
	r, err := rpcparse.ParseRequest(pdu)
	if err != nil {
		return false
	}
	asked, err := tower.ParseMapRequest(r.Stub, tower.NDR, r.Order())
	if err != nil {
		return false
	}
	t, err := tower.Parse(asked.Tower)
	return err == nil && t.Interface() == nspi.Interface
}

// statusCannot is ept_s_cant_perform_op.
const statusCannot = 0x16C9A0CD

func (m *fakeMapper) stub(refused bool) []byte {
	a := tower.MapAnswer{Max: 32, Status: tower.StatusNotRegistered}
	if refused {
		a.Status = statusCannot
		stub, err := tower.AppendMapResponse(nil, a, tower.NDR, rpcparse.LittleEndian)
		if err != nil {
			panic(err)
		}
		return stub
	}
	for _, port := range slices.Clone(m.ports) {
		a.Status = tower.StatusOK
		a.Towers = append(a.Towers, tower.BuildTCP(nspi.Interface, rpcparse.SyntaxNDR, port, m.addr.Addr()))
	}
	stub, err := tower.AppendMapResponse(nil, a, tower.NDR, rpcparse.LittleEndian)
	if err != nil {
		panic(err)
	}
	return stub
}
