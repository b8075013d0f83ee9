package relay

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// closedPort returns an address of this machine where nobody listens.
func closedPort(r *rig) netip.AddrPort {
	r.Helper()
	fds, addr, err := listenSockets(anyPort, 1, nil)
	r.must(err)
	closeSocket(fds[0])
	return addr
}

func TestNextServerIsTriedWhenOneIsNotReached(t *testing.T) {
	r := newRig(t, Options{ConnectTimeout: 60 * time.Millisecond}, nil)
	servers := []netip.AddrPort{closedPort(r), {}, silentServer(r, thisServer), r.target()}
	r.listen(ListenOptions{Route: func(c *Conn, attempt int) Route {
		return Route{Handler: r.newHandler(c), Server: servers[attempt]}
	}})
	client := r.client()
	r.write(client, request(1, 100))
	server := r.accept()
	r.expect(server, request(1, 100))
	if why := r.ends(r.handler(), CauseDialFailed); !errors.Is(why.Err, unix.ECONNREFUSED) {
		t.Errorf("the first attempt ended with %v", why)
	}
	if why := r.ends(r.handler(), CauseDialFailed); why.Err == nil {
		t.Error("a server without an address: no evidence")
	}
	r.ends(r.handler(), CauseDialTimeout)
	last := r.handler()
	r.write(server, response(1, 100))
	r.expect(client, response(1, 100))
	r.must(client.Close())
	r.must(server.Close())
	r.ends(last, CauseEnd)
	if s := r.group.Stats(); s.Accepted != 1 || s.Closed[CauseDialFailed] != 0 || s.Closed[CauseEnd] != 1 {
		t.Errorf("one connection is counted as %+v", s)
	}
}

func TestClientIsResetWhenNoServerIsLeft(t *testing.T) {
	r := newRig(t, Options{}, nil)
	nobody := closedPort(r)
	r.listen(ListenOptions{Route: func(c *Conn, attempt int) Route {
		if attempt == 3 {
			return Route{}
		}
		return Route{Handler: r.newHandler(c), Server: nobody}
	}})
	r.expectRefusal()
	for range 3 {
		r.ends(r.handler(), CauseDialFailed)
	}
	r.eventually("it is counted once", func() bool { return r.group.Stats().Closed[CauseDialFailed] == 1 })
}

func TestAttemptsAreBounded(t *testing.T) {
	r := newRig(t, Options{}, nil)
	nobody := closedPort(r)
	asked := make(chan int, 2*maxAttempts)
	r.listen(ListenOptions{Route: func(c *Conn, attempt int) Route {
		asked <- attempt
		return Route{Handler: r.newHandler(c), Server: nobody}
	}})
	r.expectRefusal()
	r.eventually("it is counted", func() bool { return r.group.Stats().Closed[CauseDialFailed] == 1 })
	var got []int
	for len(asked) > 0 {
		got = append(got, await(r, asked))
	}
	if !slices.Equal(got, []int{0, 1, 2, 3, 4, 5, 6, 7}) {
		t.Errorf("asked for attempts %v", got)
	}
}

func TestClientThatLeavesIsNotDialledForAgain(t *testing.T) {
	r := newRig(t, Options{ConnectTimeout: 50 * time.Millisecond}, nil)
	silent := silentServer(r, thisServer)
	r.listen(ListenOptions{Route: func(c *Conn, _ int) Route { return Route{Handler: r.newHandler(c), Server: silent} }})
	client := r.client()
	r.ends(r.handler(), CauseDialTimeout)
	r.reset(client)
	for {
		if why := <-r.handler().closed; why.Cause == CauseClientReset {
			break
		}
	}
}

func TestPanickingRouterCostsItsConnectionOnly(t *testing.T) {
	r := newRig(t, Options{Loops: 1}, nil)
	other, otherServer, _ := r.connect()
	for _, first := range []bool{true, false} {
		nobody, told := closedPort(r), make(chan CloseReason, 1)
		r.listen(ListenOptions{
			Route: func(c *Conn, attempt int) Route {
				if first || attempt > 0 {
					panic("no way")
				}
				return Route{Handler: r.newHandler(c), Server: nobody}
			},
			Unrouted: func(_ *Conn, why CloseReason) { told <- why },
		})
		r.expectRefusal()
		if why := await(r, told); why.Cause != CausePanic || why.Err == nil {
			t.Errorf("told of %v", why)
		}
	}
	r.write(other, request(1, 100))
	r.expect(otherServer, request(1, 100))
}

func TestEndpointKeepsAddresses(t *testing.T) {
	for _, text := range []string{"1.2.3.4:135", "0.0.0.0:0", "[::]:65535", "[2001:db8::1]:6004", "255.255.255.255:65535"} {
		if want := netip.MustParseAddrPort(text); newEndpoint(want).addrPort() != want {
			t.Errorf("%v came back as %v", want, newEndpoint(want).addrPort())
		}
	}
	if (endpoint{}).addrPort().IsValid() || newEndpoint(netip.AddrPort{}) != (endpoint{}) {
		t.Error("no address is an address")
	}
	if e := newEndpoint(netip.MustParseAddrPort("[::ffff:1.2.3.4]:135")); e.addrPort() != netip.MustParseAddrPort("1.2.3.4:135") {
		t.Errorf("a mapped address is %v", e.addrPort())
	}
}
