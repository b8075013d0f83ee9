package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/module"
	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// ProcessPorts are the TCP ports that the endpoint mapper on a machine names to it for other interfaces of the process of NSPI,
// all or those of these names, and not for NSPI: in ascending order.
func ProcessPorts(t testing.TB, at *Machine, names ...string) (ports []uint16) {
	t.Helper()
	c, err := client.DialEPM(netip.AddrPortFrom(at.Address, PortEPM).String(), client.Options{Connect: at.Dial})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, i := range nspi.Process {
		if len(names) == 0 || slices.Contains(names, i.Name) {
			ports = append(ports, portsOf(t, c, i.Syntax)...)
		}
	}
	own := portsOf(t, c, nspi.Interface)
	slices.Sort(ports)
	return slices.DeleteFunc(slices.Compact(ports), func(port uint16) bool { return slices.Contains(own, port) })
}

// portsOf asks an endpoint mapper for the ports of an interface.
func portsOf(t testing.TB, c *client.Conn, iface rpcparse.SyntaxID) (ports []uint16) {
	t.Helper()
	const step = 32 // as many endpoints as an answer has at most
	all, err := c.Map(iface, step)
	if err != nil && !errors.Is(err, client.ErrNotRegistered) {
		t.Fatalf("%v: %v", iface, err)
	}
	for _, e := range all {
		ports = append(ports, e.Port)
	}
	return ports
}

// ProcessCalls calls other interfaces of the process of NSPI, from a machine, and returns a line for each with what was found
// out. See process_calls.py.
func (s *Samba) ProcessCalls(t testing.TB, on *Machine) (lines []string, err error) {
	t.Helper()
	cmd, cancel := suiteCommand(on, "/usr/bin/python3", module.Path(t, "testdata", "lab", "samba", "process_calls.py"), s.Address)
	defer cancel()
	cmd.Env = append(cmd.Environ(), "KRB5_CONFIG="+s.File("krb5.conf"), "SMB_CONF_PATH="+s.File("smb.conf"),
		"TARGET_HOSTNAME="+SambaHost, "REALM="+SambaRealm, "DOMAIN="+Domain, "USERNAME=Administrator", "PASSWORD="+sambaAdminPassword)
	said, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("process_calls.py: %w\n%s", err, said)
	}
	return strings.Split(strings.TrimSpace(string(said)), "\n"), nil
}
