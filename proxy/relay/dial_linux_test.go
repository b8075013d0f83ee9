package relay

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestUnreachableServerResetsTheClient(t *testing.T) {
	r := newRig(t, Options{}, nil)
	r.must(r.server.Close())
	r.expectRefusal()
	if why := r.ends(r.handler(), CauseDialFailed); !errors.Is(why.Err, unix.ECONNREFUSED) {
		t.Errorf("the reason is %v", why)
	}
	r.eventually("it is counted", func() bool { s := r.group.Stats(); return s.Closed[CauseDialFailed] == 1 })
}

// silentServer listens with a full accept queue: Linux ignores further clients.
func silentServer(r *rig, ip netip.Addr) netip.AddrPort {
	r.Helper()
	fds, addr, err := listenSockets(netip.AddrPortFrom(ip, 0), 1, nil)
	r.must(err)
	r.Cleanup(func() { closeSocket(fds[0]) })
	r.must(unix.Listen(int(fds[0]), 0))
	to, err := newSockaddr(addr)
	r.must(err)
	for range 4 {
		fd, errno := newSocket(unix.AF_INET)
		r.must(errnoError("socket", errno))
		_ = connect(fd, &to)
		r.Cleanup(func() { closeSocket(fd) })
	}
	return addr
}

func TestSilentServerIsGivenUp(t *testing.T) {
	r := newRig(t, Options{ConnectTimeout: 60 * time.Millisecond}, nil)
	r.listen(ListenOptions{Route: r.to(silentServer(r, thisServer))})
	client := r.client()
	r.write(client, request(1, 100))
	start := time.Now()
	r.expectReset(client)
	if d := time.Since(start); d < 30*time.Millisecond || d > 5*time.Second {
		t.Errorf("given up after %v", d)
	}
	r.ends(r.handler(), CauseDialTimeout)
}

func TestClientThatLeavesWhileDialling(t *testing.T) {
	r := newRig(t, Options{}, nil)
	r.listen(ListenOptions{Route: r.to(silentServer(r, thisServer))})
	client := r.client()
	r.reset(client)
	r.ends(r.handler(), CauseClientReset)
}

func TestClientBytesWaitForTheServer(t *testing.T) {
	r := newRig(t, Options{}, nil)
	client := r.client()
	r.write(client, request(1, 100))
	r.must(client.CloseWrite())
	server := r.accept()
	r.expect(server, request(1, 100))
	r.expectEnd(server)
	r.must(server.Close())
	r.expectEnd(client)
}

func TestHandlerMayBeRefused(t *testing.T) {
	r := newRig(t, Options{}, nil)
	r.listen(ListenOptions{Route: func(*Conn, int) Route { return Route{} }})
	r.expectRefusal()
	r.eventually("it is counted", func() bool { return r.group.Stats().Closed[CauseRefused] == 1 })
}

// kept is a Record.
type kept struct {
	mu    sync.Mutex
	now   map[int32][2]netip.AddrPort // local, server
	ever  int
	room  int
	alien int // of another machine's address
}

func (k *kept) Put(local, server netip.AddrPort, foreign bool) int32 {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.now) >= k.room {
		return 0
	}
	k.ever++
	if foreign {
		k.alien++
	}
	k.now[int32(k.ever)] = [2]netip.AddrPort{local, server}
	return int32(k.ever)
}

func (k *kept) Clear(n int32) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, ok := k.now[n]; !ok {
		panic("it is not there")
	}
	delete(k.now, n)
}

func (k *kept) size() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.now)
}

// TestConnectionsToServersAreKeptWhileTheyAreOpen, and not while they are dialled, nor
// after their end, however that comes.
func TestConnectionsToServersAreKeptWhileTheyAreOpen(t *testing.T) {
	k := &kept{now: map[int32][2]netip.AddrPort{}, room: 2}
	r := newRig(t, Options{Record: k}, nil)
	var clients, servers []*net.TCPConn
	for range 3 {
		clients = append(clients, r.client())
		servers = append(servers, r.accept())
	}
	r.eventually("two are kept, for more there is no room", func() bool { return k.size() == 2 })
	seen := map[netip.AddrPort]bool{}
	for _, s := range servers {
		seen[s.RemoteAddr().(*net.TCPAddr).AddrPort()] = true
	}
	k.mu.Lock()
	for _, c := range k.now {
		if !seen[c[0]] || c[1] != servers[0].LocalAddr().(*net.TCPAddr).AddrPort() {
			t.Errorf("kept are %v", c)
		}
	}
	if k.alien != 0 {
		t.Error("this machine's address is another one's")
	}
	k.mu.Unlock()
	r.reset(clients[0])
	r.must(servers[1].Close())
	r.must(clients[1].Close())
	r.must(clients[2].Close())
	r.must(servers[2].Close())
	r.eventually("their ends are known", func() bool { return k.size() == 0 })
}
