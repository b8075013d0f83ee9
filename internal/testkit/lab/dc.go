package lab

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
)

// roleDC makes a copy of the test binary a domain controller.
const roleDC = "dc"

// Domain is the NetBIOS name of the domain.
const Domain = "LAB"

// User is an account of the domain.
type User struct{ Name, Password string }

// The accounts that every domain controller of the lab knows.
var (
	Alice = User{"alice", "correct horse"}
	Bob   = User{"bob", "battery staple"}
)

// DCOptions says what domain controller to start.
type DCOptions struct {
	On        *Machine      `json:"-"` // where to run it
	Address   string        // its endpoint mapper is on port 135; default: that of On. Without On, one of its own in 127.0.10.0/24
	Address6  string        // one of IPv6 beside it, with the same ports; default: that of On, if Address is, too
	Addresses []string      // further ones of that machine, with the same ports, too
	NSPIPort  int           // 0: the system chooses
	MorePorts int           // further ports for NSPI
	Process   int           // further ports of its process, on which the endpoint mapper names other interfaces
	Anonymous bool          // grant NspiBind without authentication, which real ones refuse
	Limit     int           // sessions per user; 0: any number
	Deaf      bool          // never find out that a silent client has vanished, as Windows does not for hours
	BindDelay time.Duration // how long NspiBind takes
	MapDelay  time.Duration // how long the endpoint mapper takes for each answer
	KeepAlive time.Duration // after how much silence a client is asked whether it is still there; 0: as Go does
}

// DC is a domain controller in a process of its own. Unless told otherwise its own limit is out of the way: the lab is about
// the proxy's.
type DC struct {
	*Process
	Address  string
	Address6 string // empty: none
	options  DCOptions
	in       io.WriteCloser
	out      *bufio.Scanner
}

// DCCount is what the domain controller knows at one moment.
type DCCount struct {
	Sessions    int // live sessions
	Connections int // open connections, but those to the endpoint mapper, where the proxy has a standing one
	Binds       int // NspiBind requests that have arrived since it started
	Unbinds     int // NspiUnbind requests since then
	Maps        int // questions to the endpoint mapper that it has begun to work on since then
}

// DCPeers are the clients that the domain controller knows of at one moment, by their ends of their connections.
type DCPeers struct {
	Connections []simdc.Peer           // open ones, the endpoint mapper's among them
	Sessions    map[netip.AddrPort]int // live sessions by who opened them, even if that connection has ended
}

const (
	// PortEPM is the endpoint mapper's port.
	PortEPM = 135

	// maxAnswer is longer than what the process has to say about some thousand connections, in bytes.
	maxAnswer = 4 << 20
)

// StartDC starts a domain controller and returns when it listens.
func StartDC(t testing.TB, o DCOptions) *DC {
	t.Helper()
	if o.On != nil && o.Address == "" {
		o.Address, o.Address6 = o.On.Address.String(), o.On.Address6.String()
	}
	d := &DC{Address: o.Address, Address6: o.Address6, options: o}
	d.start(t)
	return d
}

// Machine is the machine that the domain controller runs on; nil: that of the tests.
func (d *DC) Machine() *Machine { return d.options.On }

// Restart ends the domain controller as a crash does and starts it again on the same addresses, with NSPI on port, 0 for one
// that the system chooses. All sessions and associations are forgotten.
func (d *DC) Restart(t testing.TB, port int) {
	t.Helper()
	d.Kill()
	d.options.NSPIPort = port
	d.start(t)
}

func (d *DC) start(t testing.TB) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	options, err := json.Marshal(d.options)
	if err != nil {
		t.Fatal(err)
	}
	cmd := d.options.On.command(self, string(options))
	cmd.Env = append(os.Environ(), roleVariable+"="+roleDC)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = w
	d.in, d.out = in, bufio.NewScanner(r)
	d.out.Buffer(nil, maxAnswer)
	d.Process = start(t, "dc", cmd)
	_ = w.Close() // the child has it
	t.Cleanup(func() { _ = r.Close() })
	d.Count(t) // answered once it listens
}

// Count asks the domain controller how much it holds.
func (d *DC) Count(t testing.TB) (c DCCount) { t.Helper(); d.ask(t, askCount, &c); return c }

// Peers asks the domain controller who is connected.
func (d *DC) Peers(t testing.TB) (p DCPeers) { t.Helper(); d.ask(t, askPeers, &p); return p }

// Slow is how long NspiBind and each answer of the endpoint mapper take from now on, calls that wait already excepted. A
// restart does not change it.
func (d *DC) Slow(t testing.TB, bind, mapper time.Duration) {
	t.Helper()
	d.options.BindDelay, d.options.MapDelay = bind, mapper
	var done bool
	d.ask(t, fmt.Sprint(askSlow, " ", int64(bind), " ", int64(mapper)), &done)
	if !done {
		t.Fatal("dc: it does not get slow")
	}
}

func (d *DC) ask(t testing.TB, question string, into any) {
	t.Helper()
	if _, err := io.WriteString(d.in, question+"\n"); err != nil {
		t.Fatalf("dc: %v", err)
	}
	if !d.out.Scan() {
		t.Fatalf("dc: it has ended")
	}
	if err := json.Unmarshal(d.out.Bytes(), into); err != nil {
		t.Fatalf("dc says %q: %v", d.out.Text(), err)
	}
}
