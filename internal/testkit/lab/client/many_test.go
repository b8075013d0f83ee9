//go:build lab

package client

import (
	"net/netip"
	"sync"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

const (
	manyClients    = 40  // client addresses, each an identity of its own
	manyEach       = 100 // connections of each
	manyLimit      = 60  // sessions that each may have
	manyAtOnce     = 64  // connections that do something at the same moment
	manyGranted    = manyClients * manyLimit
	manyRefused    = manyClients*manyEach - manyGranted
	manyConnection = manyClients * manyEach
)

// crowd is a set of open connections; nil handles are those that were refused.
type crowd struct {
	mu      sync.Mutex
	members []member
	refused int
	failed  error
}

type member struct {
	client *lab.Conn
	handle nspi.Handle
}

// TestFourThousandConnectionsLeaveNoSlot opens them all, each with an NspiBind, and ends them in every manner. The limit
// must hold exactly, however many binds of one user race each other.
func TestFourThousandConnectionsLeaveNoSlot(t *testing.T) {
	lab.NeedFiles(t, lab.EnoughFiles)
	dc := lab.StartDC(t, lab.DCOptions{Address: "127.0.10.51", Anonymous: true})
	proxy := lab.StartProxy(t, lab.ProxyOptions{Front: "127.0.20.51", DC: dc, Limit: manyLimit})
	address := proxy.NSPI(t)
	var c crowd
	inParallel(manyConnection, func(i int) { c.join(address, lab.ClientAddress(1+i%manyClients)) })
	if c.failed != nil {
		t.Fatal(c.failed)
	}
	if c.refused != manyRefused {
		t.Errorf("%d binds were refused, want %d", c.refused, manyRefused)
	}
	lab.CheckHeld(t, proxy, dc, manyGranted)
	if n := proxy.Metrics(t).Sum("nspiproxy_connections"); n < manyConnection {
		t.Errorf("%v connections at once, want %d", n, manyConnection)
	}
	half, err := lab.AppendNspiBind(nil, 9)
	if err != nil {
		t.Fatal(err)
	}
	half = half[:len(half)/2]
	inParallel(len(c.members), func(i int) { c.members[i].leave(t, i, half) })
	lab.CheckNobodyLeft(t, proxy, dc)
}

// inParallel calls do with 0 to n-1, manyAtOnce at a time.
func inParallel(n int, do func(int)) {
	var wg sync.WaitGroup
	for w := range manyAtOnce {
		wg.Go(func() {
			for i := w; i < n; i += manyAtOnce {
				do(i)
			}
		})
	}
	wg.Wait()
}

// join opens one connection with an NspiBind.
func (c *crowd) join(address string, from netip.Addr) {
	client, err := lab.DialConn(address, from)
	var handle nspi.Handle
	var code nspi.Code
	if err == nil {
		if err = client.Bind(0); err == nil {
			handle, code, err = client.NspiBind()
		}
		client.Release()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.failed = err
		return
	}
	if code != nspi.Success {
		c.refused++
	}
	c.members = append(c.members, member{client, handle})
}

// leave ends a connection in one of five manners.
func (m member) leave(t *testing.T, i int, half []byte) {
	switch i % 5 {
	case 0:
		m.client.Close()
	case 1:
		m.client.Reset()
	case 2: // in the middle of a PDU
		if _, err := m.client.TCP.Write(half); err != nil {
			t.Error(err)
		}
		m.client.Reset()
	case 3: // in the middle of a PDU, in order
		if _, err := m.client.TCP.Write(half); err != nil {
			t.Error(err)
		}
		m.client.Close()
	default: // well-behaved
		if !m.handle.IsZero() {
			if code, err := m.client.NspiUnbind(m.handle); err != nil || code != nspi.UnbindSuccess {
				t.Errorf("NspiUnbind: %s, %v", code, err)
			}
		}
		m.client.Close()
	}
}
