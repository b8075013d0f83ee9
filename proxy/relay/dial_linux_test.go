package relay

import (
	"errors"
	"net/netip"
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
