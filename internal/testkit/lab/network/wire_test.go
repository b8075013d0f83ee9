//go:build lab

package network

import (
	"errors"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// unheard is how long a connection must have nothing to say for its cable to count as cut. What passes a cable takes
// microseconds.
const unheard = 300 * time.Millisecond

// TestRoutedCallSurvivesACutCable: the request is sent while the cable is out, and answered once it is back.
func TestRoutedCallSurvivesACutCable(t *testing.T) {
	network := lab.StartNetwork(t)
	dc, client := network.DCs[0], network.Clients[0]
	server := lab.StartDC(t, lab.DCOptions{On: dc, Anonymous: true})
	for _, c := range []struct {
		what    string
		end     *lab.Machine
		cut     func(*lab.Machine, testing.TB)
		mend    func(*lab.Machine, testing.TB)
		carrier bool
	}{
		{"the client's is cut", client, (*lab.Machine).Cut, (*lab.Machine).Mend, false},
		{"the domain controller's is cut", dc, (*lab.Machine).Cut, (*lab.Machine).Mend, false},
		{"the client's is silent", client, (*lab.Machine).Silence, (*lab.Machine).Speak, true},
		{"the domain controller's is silent", dc, (*lab.Machine).Silence, (*lab.Machine).Speak, true},
	} {
		for _, to := range []netip.Addr{dc.Address, dc.Address6} {
			t.Run(c.what+" "+to.String(), func(t *testing.T) {
				conn := lab.DialFrom(t, client, to, netip.Addr{})
				lab.OpenSession(t, conn)
				before := server.Count(t).Binds
				c.cut(c.end, t)
				if got := hasCarrier(t, network.Router, c.end.Name); got != c.carrier {
					t.Errorf("the router's interface has carrier: %v, want %v", got, c.carrier)
				}
				lab.SendBinds(t, conn, 11)
				_ = conn.TCP.SetReadDeadline(time.Now().Add(unheard))
				if n, err := conn.TCP.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("read %d bytes, %v from a connection that is cut", n, err)
				}
				if got := server.Count(t).Binds; got != before {
					t.Errorf("a bind has arrived")
				}
				c.mend(c.end, t)
				if codes := lab.ReadBinds(t, conn, 1); codes[11] != nspi.Success {
					t.Errorf("NspiBind: %v", codes)
				}
			})
		}
	}
	conn := lab.DialFrom(t, network.Clients[1], network.DCs[0].Address, netip.Addr{})
	lab.OpenSession(t, conn)
}

// hasCarrier says whether something is at the other end of an interface of a machine.
func hasCarrier(t *testing.T, m *lab.Machine, device string) bool {
	t.Helper()
	return !strings.Contains(m.Run(t, "ip", "link", "show", "dev", device), "NO-CARRIER")
}
