package probe_test

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
	"github.com/nspiproxy/nspiproxy/proxy/probe"
)

// The user of the simulated domain controller.
const (
	user     = `LAB\alice`
	password = "correct horse"
)

// settle is how long something may take that certainly happens.
const settle = 20 * time.Second

// start starts a domain controller that knows the user.
func start(t testing.TB, c simdc.Config) *simdc.Server {
	t.Helper()
	c.Users = []simdc.User{{Name: "alice", Password: password}}
	dc, err := simdc.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(dc.Kill)
	return dc
}

// at is the target dc, without authentication.
func at(dc *simdc.Server) probe.Target {
	return probe.Target{Address: "127.0.0.1", EPMPort: dc.EPMAddr().Port(), Timeout: settle}
}

// ntlm makes t authenticate.
func ntlm(t testing.TB, target probe.Target, level probe.Level) probe.Target {
	target.Auth, target.Level, target.User, target.PasswordFile = probe.AuthNTLM, level, user, private(t, password+"\n")
	return target
}

// private makes a private file.
func private(t testing.TB, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "private")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// eventually waits for what certainly happens.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(settle); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not %s", what)
		}
	}
}

// noSession waits until dc has no session any more.
func noSession(t testing.TB, dc *simdc.Server) {
	t.Helper()
	eventually(t, "every session ended", func() bool { return dc.TotalSessions() == 0 })
}

// steps returns the names of the steps, those that failed in capitals.
func steps(r probe.Report) string {
	var names []string
	for _, s := range r.Steps {
		if s.Err != "" {
			names = append(names, strings.ToUpper(s.Name))
		} else {
			names = append(names, s.Name)
		}
	}
	return strings.Join(names, " ")
}

// check compares the outcome and the steps of a report.
func check(t testing.TB, r probe.Report, outcome probe.Outcome, want string) {
	t.Helper()
	if r.Outcome != outcome || steps(r) != want {
		t.Errorf("%s after %s, want %s after %s: %s", r.Outcome, steps(r), outcome, want, r.Err)
	}
	if (r.Err == "") != r.Outcome.Good() {
		t.Errorf("%s with error %q", r.Outcome, r.Err)
	}
}

// The steps of a whole probe, and of one whose first answer of NSPI is its last.
const (
	allSteps   = "epm_connect ept_map nspi_connect rpc_bind nspi_bind query nspi_unbind"
	toNspiBind = "epm_connect ept_map nspi_connect rpc_bind nspi_bind"
)

// serve answers each connection to a port of its own with f, and closes it then.
func serve(t testing.TB, f func(c *net.TCPConn)) netip.AddrPort {
	t.Helper()
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.AcceptTCP()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				f(c)
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// heap returns how many bytes have been allocated so far.
func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// allocates fails the test if f allocates more than n bytes.
func allocates(t testing.TB, n uint64, f func()) {
	t.Helper()
	before := heap()
	f()
	if got := heap() - before; got > n {
		t.Errorf("%d bytes allocated, more than %d", got, n)
	}
}

func name(parts ...any) string { return strings.TrimSpace(fmt.Sprintln(parts...)) }

// eof reads until the client ends the connection.
func eof(c *net.TCPConn) { _, _ = io.Copy(io.Discard, c) }
