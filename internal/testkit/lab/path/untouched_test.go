//go:build lab

package path

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
)

// otherPort is one that has nothing to do with the proxy.
const otherPort = 7777

// hello is no DCE/RPC.
const hello = "GET / HTTP/1.0\r\n\r\n"

// echoOn sends back whatever comes to a port of a machine, and tells who sent it first. It ends with the test.
func echoOn(t *testing.T, at *lab.Machine, port uint16) (peers <-chan netip.AddrPort) {
	t.Helper()
	all := make(chan netip.AddrPort, 100) // more than a test makes connections
	for _, f := range lab.Families {
		l, err := at.Listen(netip.AddrPortFrom(f.Of(at), port).String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				conn, err := l.AcceptTCP()
				if err != nil {
					return
				}
				all <- conn.RemoteAddr().(*net.TCPAddr).AddrPort()
				go func() {
					defer conn.Close()
					_, _ = io.Copy(conn, conn)
				}()
			}
		}()
	}
	return all
}

// echoed says hello on a new connection, and returns the client's address and what came back.
func echoed(t *testing.T, from *lab.Machine, to netip.AddrPort) (local netip.AddrPort, err error) {
	t.Helper()
	conn, err := from.Dial(to.String(), netip.Addr{})
	if err != nil {
		return netip.AddrPort{}, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(lab.SettleTime))
	local = conn.LocalAddr().(*net.TCPAddr).AddrPort()
	if _, err := conn.Write([]byte(hello)); err != nil {
		return local, err
	}
	got := make([]byte, len(hello))
	if _, err := io.ReadFull(conn, got); err != nil {
		return local, err
	}
	if string(got) != hello {
		t.Errorf("%q came back", got)
	}
	return local, nil
}

// TestPathOtherPortsAreNotTouched, of domain controllers that clients use NSPI on, and of other machines.
func TestPathOtherPortsAreNotTouched(t *testing.T) {
	lab.InBothModes(t, func(t *testing.T, mode string) {
		network := lab.StartNetwork(t)
		at := network.DCs[0]
		dc := lab.StartDC(t, lab.DCOptions{On: at, Anonymous: true})
		proxy := lab.StartPath(t, network, lab.PathOptions{Mode: mode, Limit: 50, DCs: []*lab.DC{dc}, Listed: network.DCs[:1]})
		seen := map[*lab.Machine]<-chan netip.AddrPort{}
		for _, m := range []*lab.Machine{at, network.DCs[1], network.Clients[1]} {
			seen[m] = echoOn(t, m, otherPort)
		}
		for _, f := range lab.Families {
			sessionOf(t, dc, lab.DialFrom(t, network.Clients[0], f.Of(at), netip.Addr{}))
			proxy.CheckTaken(t, 0, func() {
				for m, peers := range seen {
					local, err := echoed(t, network.Clients[0], netip.AddrPortFrom(f.Of(m), otherPort))
					if err != nil {
						t.Errorf("%s: %v", m.Name, err)
					} else if peer := <-peers; peer != local {
						t.Errorf("%s sees %s instead of %s", m.Name, peer, local)
					}
				}
			})
		}
	})
}

// TestPathOtherProtocolsOnAPortOfNSPI are closed or carried, as configured.
func TestPathOtherProtocolsOnAPortOfNSPI(t *testing.T) {
	lab.InBothModes(t, func(t *testing.T, mode string) {
		for _, nonRPC := range []string{"close", "pass"} {
			network := lab.StartNetwork(t)
			at, client := network.DCs[0], network.Clients[0]
			peers := echoOn(t, at, lab.StaticPort)
			proxy := lab.StartPath(t, network, lab.PathOptions{Mode: mode, Limit: 50, Relay: "  non_rpc: " + nonRPC})
			for _, f := range lab.Families {
				proxy.CheckTaken(t, 1, func() {
					local, err := echoed(t, client, netip.AddrPortFrom(f.Of(at), lab.StaticPort))
					closed := errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)
					if nonRPC == "close" && !closed || nonRPC == "pass" && err != nil {
						t.Errorf("%s: %v", nonRPC, err)
					}
					peer := <-peers
					if want := f.Router(at); mode == "redirect" && peer.Addr() != want || mode == "tproxy" && peer != local {
						t.Errorf("the server sees %s, the client is %s", peer, local)
					}
				})
			}
		}
	})
}
