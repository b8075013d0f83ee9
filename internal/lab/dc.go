package lab

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/simdc"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
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
	Address   string        // an address of its own in 127.0.10.0/24; its endpoint mapper is on port 135
	Anonymous bool          // grant NspiBind without authentication, which real ones refuse
	BindDelay time.Duration // how long NspiBind takes
}

// DC is a domain controller in a process of its own. Its own limit is out of the way: the lab is about the proxy's.
type DC struct {
	*Process
	Address string
	in      io.WriteCloser
	out     *bufio.Scanner
}

// DCCount is what the domain controller knows at one moment.
type DCCount struct {
	Sessions    int // live sessions
	Connections int // open connections, the endpoint mapper's among them
	Binds       int // NspiBind requests that have arrived since it started
}

// StartDC starts a domain controller and returns when it listens.
func StartDC(t testing.TB, o DCOptions) *DC {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	options, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, string(options))
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
	d := &DC{Address: o.Address, in: in, out: bufio.NewScanner(r)}
	d.Process = start(t, "dc", cmd)
	_ = w.Close() // the child has it
	t.Cleanup(func() { _ = r.Close() })
	d.Count(t) // answered once it listens
	return d
}

// Count asks the domain controller.
func (d *DC) Count(t testing.TB) (c DCCount) {
	t.Helper()
	if _, err := d.in.Write([]byte("\n")); err != nil {
		t.Fatalf("dc: %v", err)
	}
	if !d.out.Scan() {
		t.Fatalf("dc: it has ended")
	}
	if err := json.Unmarshal(d.out.Bytes(), &c); err != nil {
		t.Fatalf("dc says %q: %v", d.out.Text(), err)
	}
	return c
}

// serveDC is the domain controller's process: each line on standard input is answered by a DCCount.
func serveDC() int {
	if err := runDC(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "dc:", err)
		return 1
	}
	return 0
}

func runDC(options string) error {
	var o DCOptions
	if err := json.Unmarshal([]byte(options), &o); err != nil {
		return err
	}
	dc, err := simdc.Start(o.config())
	if err != nil {
		return err
	}
	defer dc.Close()
	out := json.NewEncoder(os.Stdout)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		c := DCCount{Sessions: dc.TotalSessions(), Connections: dc.Connections(), Binds: dc.Requests()[nspi.OpnumBind]}
		if err := out.Encode(c); err != nil {
			return err
		}
	}
	return lines.Err()
}

const portEPM = 135

func (o DCOptions) config() simdc.Config {
	c := simdc.Config{
		Address: o.Address, EPMPort: portEPM, Domain: Domain, Limit: -1, AnonymousBind: o.Anonymous,
		Users: []simdc.User{{Name: Alice.Name, Password: Alice.Password}, {Name: Bob.Name, Password: Bob.Password}},
	}
	if o.BindDelay > 0 {
		c.Delay = func(iface rpcparse.SyntaxID, opnum uint16) time.Duration {
			if iface == nspi.Interface && opnum == nspi.OpnumBind {
				return o.BindDelay
			}
			return 0
		}
	}
	return c
}
