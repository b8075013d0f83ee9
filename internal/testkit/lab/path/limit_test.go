//go:build lab

package path

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
)

// pathLimit is how many sessions an account may have in these tests.
const pathLimit = 3

// TestPathLimitIsOneForAnAccountOnTwoMachines that seal with NTLM; the proxy has no keys.
func TestPathLimitIsOneForAnAccountOnTwoMachines(t *testing.T) {
	for mode := range lab.Modes {
		t.Run(mode, func(t *testing.T) {
			network := lab.StartNetwork(t)
			dc := lab.StartDC(t, lab.DCOptions{On: network.DCs[0]})
			proxy := lab.StartPath(t, network, lab.PathOptions{Mode: mode, Limit: pathLimit, DCs: []*lab.DC{dc}, Listed: network.DCs[:1]})
			first, second := lab.StartImpacketOn(t, network.Clients[0]), lab.StartImpacketOn(t, network.Clients[1])
			w := lab.SPNEGOPrivacy
			lab.Expect(t, "connect", first.Connect("a", w.At(dc.Address)))
			lab.Expect(t, "connect", second.Connect("a", w.At(dc.Address6)))
			handle := lab.Expect(t, "bind", first.Bind("a")).Handle
			lab.Expect(t, "bind", first.Bind("a"))
			lab.Expect(t, "bind on the other machine", second.Bind("a"))
			reached := dc.Count(t).Binds
			w.CheckRefused(t, second.Bind("a"))
			checkRefusalNames(t, proxy, network.Clients[1].Address6)
			if n := dc.Count(t).Binds; n != reached {
				t.Errorf("the domain controller has seen %d binds, want %d", n, reached)
			}
			bob := w.At(dc.Address)
			bob.User, bob.Password = lab.Bob.Name, lab.Bob.Password
			lab.Expect(t, "connect", second.Connect("b", bob))
			lab.Expect(t, "bind as another account", second.Bind("b"))
			lab.CheckHeld(t, proxy.Proxy, dc, pathLimit+1)

			lab.Expect(t, "unbind", first.Unbind("a", handle))
			lab.Expect(t, "connect anew", second.Connect("c", w.At(dc.Address)))
			lab.Expect(t, "bind on the other machine", second.Bind("c"))
			w.CheckRefused(t, first.Bind("a"))
			lab.CheckHeld(t, proxy.Proxy, dc, pathLimit+1)
		})
	}
}

// checkRefusalNames waits for the record of the first refusal, and compares whose it is. It returns the record.
func checkRefusalNames(t *testing.T, proxy *lab.PathProxy, client netip.Addr) lab.Record {
	t.Helper()
	lab.Eventually(t, lab.SettleTime, "the refusal is logged", func() bool { return len(proxy.Refusals()) > 0 })
	r := proxy.Refusals()[0]
	if at, err := netip.ParseAddrPort(fmt.Sprint(r["client"])); err != nil || at.Addr() != client || r["backend"] != "dc1" {
		t.Errorf("event 2820 names the client %v on %v, want %s on dc1", r["client"], r["backend"], client)
	}
	return r
}

// TestPathLimitIsOneForATicketOnTwoMachines: the proxy opens tickets with the domain controller's key, counts by SID, and
// refuses under the seal. With NTLM it has the account's key.
func TestPathLimitIsOneForATicketOnTwoMachines(t *testing.T) {
	network := lab.StartNetwork(t)
	samba := lab.StartSambaOn(t, network.DCs[0])
	for mode := range lab.Modes {
		t.Run(mode, func(t *testing.T) {
			o := lab.PathOptions{Mode: mode, Limit: pathLimit, Samba: samba, Listed: network.DCs[:1], Folder: lab.OrdinaryFolder(t)}
			o.More = fmt.Sprintf("identity:\n  keytabs: [%s, %s]\n", lab.CopyPrivate(t, samba.MachineKeytab(), o.Folder), lab.CopyPrivate(t, samba.File("users.keytab"), o.Folder))
			proxy := lab.StartPath(t, network, o)
			first, second := lab.StartSambaClientOn(t, network.Clients[0], samba), lab.StartSambaClientOn(t, network.Clients[1], samba)
			for _, login := range lab.SealedLogins {
				ticketOnTwoMachines(t, proxy, login, first, second)
			}
			r := checkRefusalNames(t, proxy, network.Clients[1].Address6)
			if r["assurance"] != "verified" || r["sid"] != samba.SID(t, lab.Alice.Name) {
				t.Errorf("event 2820 has %v, %v, want alice's SID, verified", r["sid"], r["assurance"])
			}
		})
	}
}

// ticketOnTwoMachines uses up the limit on two machines, by both families, and tries to go beyond it on either.
func ticketOnTwoMachines(t *testing.T, proxy *lab.PathProxy, login lab.SambaLogin, first, second *lab.SambaClient) {
	t.Helper()
	samba := proxy.Options.Samba
	login.Address = samba.Address
	lab.Expect(t, "connect", first.Connect("c", login))
	login.Address = samba.Address6
	lab.Expect(t, "connect", second.Connect("c", login))
	granted := samba.Status(t).Granted
	handle := lab.Expect(t, "bind", first.Bind("c")).Handle
	lab.Expect(t, "bind", first.Bind("c"))
	lab.Expect(t, "bind on the other machine", second.Bind("c"))
	lab.ExpectLogonFailed(t, second.Bind("c"))
	lab.ExpectLogonFailed(t, first.Bind("c"))
	lab.CheckSambaHeld(t, proxy.Proxy, samba, pathLimit)
	lab.Expect(t, "unbind", first.Unbind("c", handle))
	lab.Expect(t, "bind on the other machine after an unbind", second.Bind("c"))
	lab.ExpectLogonFailed(t, first.Bind("c"))
	if n := samba.Status(t).Granted - granted; n != pathLimit+1 {
		t.Errorf("%s %s: the domain controller has granted %d binds, want %d", login.User.Name, login.Auth, n, pathLimit+1)
	}
	for _, client := range []*lab.SambaClient{first, second} {
		lab.Expect(t, "echoes", client.Echo("c", 1, 1_000, 30_000))
		lab.Expect(t, "close", client.Close("c"))
	}
	lab.CheckSambaHeld(t, proxy.Proxy, samba, 0)
}
