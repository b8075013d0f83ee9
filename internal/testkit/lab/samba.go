package lab

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/module"
)

// Names of the Samba lab, as testdata/lab/samba/env.sh has them.
const (
	SambaAddress = "127.0.40.10"
	SambaHost    = "dc1.lab.test"
	SambaRealm   = "LAB.TEST"

	sambaAdminPassword = "Adm1n-Passw0rd!" // of Administrator, whom the suites need
)

// Samba is a Samba domain controller with our NSPI server in it: a real KDC, endpoint mapper and RPC runtime, real NTLM
// and Kerberos. Its domain is fresh, and it knows [Alice] and [Bob]. There is one on a machine at a time.
type Samba struct {
	*Process
	Address  string
	Address6 string // empty: none
	on       *Machine
	folder   string // of everything that belongs to the domain
}

// sambaStartTime is generous: a first start compiles and provisions, which takes about 10 seconds.
const sambaStartTime = 2 * time.Minute

// StartSamba starts the domain controller on [SambaAddress] and returns when it serves NSPI, Kerberos and LDAP.
func StartSamba(t testing.TB) *Samba { t.Helper(); return StartSambaOn(t, nil) }

// StartSambaOn starts it on a machine, on both addresses that this has.
func StartSambaOn(t testing.TB, on *Machine) *Samba {
	t.Helper()
	s := &Samba{Address: SambaAddress, on: on}
	if on != nil {
		s.Address, s.Address6 = on.Address.String(), on.Address6.String()
	}
	s.folder = filepath.Join(labFolder(), "dc-"+s.Address)
	if on.Accepts(s.at(PortEPM)) {
		t.Fatalf("something listens on %s already", s.at(PortEPM))
	}
	cmd := on.command(module.Path(t, "testdata", "lab", "samba", "dc.sh"))
	cmd.Env = append(os.Environ(), "DC_ADDRESS="+s.Address, "DC_ADDRESS6="+s.Address6)
	s.Process = start(t, "samba", cmd)
	Eventually(t, sambaStartTime, "Samba serves", func() bool {
		if s.Ended() {
			t.Fatalf("Samba ended at its start:\n%s", strings.Join(s.Out.All(), "\n"))
		}
		return s.serves()
	})
	t.Cleanup(func() { s.end(t) })
	return s
}

// Machine is the machine that the domain controller runs on; nil: that of the tests.
func (s *Samba) Machine() *Machine { return s.on }

const portKerberos, portLDAP = 88, 389

func (s *Samba) serves() bool {
	for _, port := range []int{portKerberos, portLDAP} {
		if !s.on.Accepts(s.at(port)) {
			return false
		}
	}
	_, err := s.on.MapPort(s.Address)
	return err == nil
}

// end waits until nothing of it listens any more: its processes end one by one once the first is gone.
func (s *Samba) end(t testing.TB) {
	s.Kill()
	Eventually(t, 10*time.Second, "Samba's ports are free", func() bool {
		return !s.on.Accepts(s.at(PortEPM)) && !s.on.Accepts(s.at(portKerberos)) && !s.on.Accepts(s.at(portLDAP))
	})
}

func (s *Samba) at(port int) string { return net.JoinHostPort(s.Address, strconv.Itoa(port)) }

// SambaStatus is what the NSPI server knows at one moment.
type SambaStatus struct {
	Sessions int              `json:"sessions"` // open now
	Users    map[string]int   `json:"users"`    // open now, by SID
	Peers    []netip.AddrPort `json:"peers"`    // of the sessions open now: the client's end of the connection that opened each

	// Since the server's start: binds granted and refused, sessions ended by NspiUnbind and with their association.
	Granted int `json:"granted"`
	Refused int `json:"refused"`
	Unbound int `json:"unbound"`
	RunDown int `json:"rundown"`
}

// Status reads the NSPI server's status file.
func (s *Samba) Status(t testing.TB) (status SambaStatus) {
	t.Helper()
	s.readJSON(t, "nspi/status", &status)
	return status
}

// SetLimit is how many sessions a user may have from now on; at first they are 50.
func (s *Samba) SetLimit(t testing.TB, n int) {
	t.Helper()
	file := s.File("nspi/limit")
	if err := os.WriteFile(file+".new", fmt.Appendln(nil, n), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil { // never half a number
		t.Fatal(err)
	}
}

// SID is an account's objectSid, as the directory has it.
func (s *Samba) SID(t testing.TB, account string) string {
	t.Helper()
	sids := map[string]string{}
	s.readJSON(t, "sids.json", &sids)
	if sids[account] == "" {
		t.Fatalf("no account %q", account)
	}
	return sids[account]
}

// MachineKeytab is the file with the keys of the domain controller's account: all that opens tickets for it.
func (s *Samba) MachineKeytab() string { return s.File("machine.keytab") }

// UserKeytab is the file with a user's keys, the NT hash among them as arcfour-hmac.
func (s *Samba) UserKeytab(u User) string { return s.File(u.Name + ".keytab") }

// File is the path of a file in the domain's folder; dc.sh lists them.
func (s *Samba) File(name string) string { return filepath.Join(s.folder, name) }

func (s *Samba) readJSON(t testing.TB, name string, into any) {
	t.Helper()
	data, err := os.ReadFile(s.File(name))
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}
