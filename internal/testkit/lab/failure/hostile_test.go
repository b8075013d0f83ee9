//go:build lab

package failure

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
)

// spoil makes a machine's cable carry small packets only, and lose 6 % of all in each direction and double some.
func spoil(t *testing.T, m *lab.Machine) {
	t.Helper()
	m.Run(t, "ip", "link", "set", "eth0", "mtu", "576")
	file := filepath.Join(t.TempDir(), "spoil.nft")
	rules := fmt.Sprintf(`table ip spoil {
  chain out {
    type filter hook output priority raw; policy accept;
    numgen random mod 100 < 6 counter drop
    numgen random mod 100 < 3 counter dup to %s device "eth0"
  }
  chain in {
    type filter hook prerouting priority raw; policy accept;
    numgen random mod 100 < 6 counter drop
  }
}
`, m.RouterAddress())
	if err := os.WriteFile(file, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	m.Run(t, "nft", "-f", file)
}

// TestPathOverCablesThatLoseAndDouble: the proxy and the domain controller agree on every session of clients, and of those who
// have left nothing remains.
func TestPathOverCablesThatLoseAndDouble(t *testing.T) {
	const clients, rounds = 12, 4
	for _, mode := range bothModes {
		t.Run(mode, func(t *testing.T) {
			p := startFailPath(t, lab.PathOptions{Mode: mode}, lab.DCOptions{})
			for _, m := range []*lab.Machine{p.Clients[0], p.Clients[1], p.DCs[0]} {
				spoil(t, m)
			}
			var all [clients]*lab.Conn
			var working sync.WaitGroup
			for n := range all {
				working.Go(func() {
					client, err := join(p.Clients[n%2], p.DCs[0].Address, netip.Addr{})
					for range rounds {
						if err == nil {
							if handle, failed := opened(client); failed == nil {
								_, err = client.NspiUnbind(handle)
							} else {
								err = failed
							}
						}
					}
					if err != nil {
						t.Errorf("client %d: %v", n, err)
						return
					}
					all[n] = client
				})
			}
			working.Wait()
			if t.Failed() {
				return
			}
			lab.CheckHeld(t, p.Proxy, p.dc, clients)
			for _, c := range all {
				c.Close()
			}
			lab.CheckNobodyLeft(t, p.Proxy, p.dc)
			if n := p.Metrics(t).Sum("nspiproxy_protocol_errors_total"); n != 0 {
				t.Errorf("%v PDUs were taken for broken", n)
			}
		})
	}
}

// TestPathWithAFullDisk: what was learnt cannot be kept, which is said once, and costs nothing else: a domain controller that
// moves to another port is followed all the same.
func TestPathWithAFullDisk(t *testing.T) {
	folder := lab.OrdinaryFolder(t)
	info, err := os.Stat(folder)
	if err != nil {
		t.Fatal(err)
	}
	owner := info.Sys().(*syscall.Stat_t)
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, fmt.Sprintf("size=2m,mode=700,uid=%d,gid=%d", owner.Uid, owner.Gid)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(folder, syscall.MNT_DETACH) })
	p := startFailPath(t, lab.PathOptions{Folder: folder}, lab.DCOptions{})
	lab.Eventually(t, lab.SettleTime, "the port is kept", func() bool { _, err := os.Stat(p.StateFile()); return err == nil })
	fill, err := os.Create(filepath.Join(folder, "fill"))
	if err != nil {
		t.Fatal(err)
	}
	for block := make([]byte, 512); err == nil; {
		_, err = fill.Write(block)
	}
	fill.Close()
	p.restart(t, 50123)
	p.logged(t, "state.error")
	client := p.joined(t, p.DCs[0].Address)
	lab.CheckHeld(t, p.Proxy, p.dc, 1)
	if n := len(p.Events("state.error")); n != 1 {
		t.Errorf("it is said %d times", n)
	}
	if err := os.Remove(fill.Name()); err != nil {
		t.Fatal(err)
	}
	p.logged(t, "state.ok")
	client.Close()
	lab.CheckNobodyLeft(t, p.Proxy, p.dc)
}
