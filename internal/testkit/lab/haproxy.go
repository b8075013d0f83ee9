package lab

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// HAProxy is a load balancer on a machine.
type HAProxy struct {
	*Process
	On *Machine
}

// StartHAProxy starts HAProxy with a configuration, which must leave nothing to warn of, and returns when it accepts connections
// to ports.
func StartHAProxy(t testing.TB, on *Machine, config string, ports ...int) *HAProxy {
	t.Helper()
	file := filepath.Join(t.TempDir(), "haproxy.cfg")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := on.Run(t, "haproxy", "-c", "-f", file); strings.Contains(out, "WARNING") {
		t.Errorf("haproxy warns of its configuration:\n%s", out)
	}
	h := &HAProxy{On: on, Process: start(t, "haproxy", on.command("haproxy", "-db", "-f", file))}
	for _, port := range ports {
		Eventually(t, readyTime, "HAProxy accepts connections", func() bool {
			if h.Ended() {
				t.Fatalf("HAProxy ended at its start:\n%s", strings.Join(h.Out.All(), "\n"))
			}
			return on.Accepts(HostPort(on.Address.String(), port))
		})
	}
	return h
}
