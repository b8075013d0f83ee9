//go:build lab

package lab

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
)

// pathLimit is how many sessions an account may have in these tests.
const pathLimit = 3

// TestPathLimitIsOneForAnAccountOnTwoMachines that seal with NTLM; the proxy has no keys.
func TestPathLimitIsOneForAnAccountOnTwoMachines(t *testing.T) {
	for mode := range pathModes {
		t.Run(mode, func(t *testing.T) {
			network := StartNetwork(t)
			dc := StartDC(t, DCOptions{On: network.DCs[0]})
			proxy := startPath(t, network, pathOptions{mode: mode, limit: pathLimit, dcs: []*DC{dc}, listed: network.DCs[:1]})
			first, second := StartImpacketOn(t, network.Clients[0]), StartImpacketOn(t, network.Clients[1])
			w := ways[7] // SPNEGO, sealed
			expect(t, "connect", first.Connect("a", w.at(dc.Address)))
			expect(t, "connect", second.Connect("a", w.at(dc.Address6)))
			handle := expect(t, "bind", first.Bind("a")).Handle
			expect(t, "bind", first.Bind("a"))
			expect(t, "bind on the other machine", second.Bind("a"))
			reached := dc.Count(t).Binds
			w.refused(t, second.Bind("a"))
			checkRefusalNames(t, proxy, network.Clients[1].Address6)
			if n := dc.Count(t).Binds; n != reached {
				t.Errorf("the domain controller has seen %d binds, want %d", n, reached)
			}
			bob := w.at(dc.Address)
			bob.User, bob.Password = Bob.Name, Bob.Password
			expect(t, "connect", second.Connect("b", bob))
			expect(t, "bind as another account", second.Bind("b"))
			checkHeld(t, proxy.Proxy, dc, pathLimit+1)

			expect(t, "unbind", first.Unbind("a", handle))
			expect(t, "connect anew", second.Connect("c", w.at(dc.Address)))
			expect(t, "bind on the other machine", second.Bind("c"))
			w.refused(t, first.Bind("a"))
			checkHeld(t, proxy.Proxy, dc, pathLimit+1)
		})
	}
}

// checkRefusalNames waits for the record of the first refusal, and compares whose it is. It returns the record.
func checkRefusalNames(t *testing.T, proxy *pathProxy, client netip.Addr) Record {
	t.Helper()
	Eventually(t, settle, "the refusal is logged", func() bool { return len(proxy.Refusals()) > 0 })
	r := proxy.Refusals()[0]
	if at, err := netip.ParseAddrPort(fmt.Sprint(r["client"])); err != nil || at.Addr() != client || r["backend"] != "dc1" {
		t.Errorf("event 2820 names the client %v on %v, want %s on dc1", r["client"], r["backend"], client)
	}
	return r
}

// TestPathLimitIsOneForATicketOnTwoMachines: the proxy opens tickets with the domain controller's key, counts by SID, and
// refuses under the seal. With NTLM it has the account's key.
func TestPathLimitIsOneForATicketOnTwoMachines(t *testing.T) {
	network := StartNetwork(t)
	samba := StartSambaOn(t, network.DCs[0])
	for mode := range pathModes {
		t.Run(mode, func(t *testing.T) {
			o := pathOptions{mode: mode, limit: pathLimit, samba: samba, listed: network.DCs[:1], folder: OrdinaryFolder(t)}
			o.more = fmt.Sprintf("identity:\n  keytabs: [%s, %s]\n", copyPrivate(t, samba.MachineKeytab(), o.folder), copyPrivate(t, samba.File("users.keytab"), o.folder))
			proxy := startPath(t, network, o)
			first, second := StartSambaClientOn(t, network.Clients[0], samba), StartSambaClientOn(t, network.Clients[1], samba)
			for _, login := range routedLogins {
				ticketOnTwoMachines(t, proxy, login, first, second)
			}
			r := checkRefusalNames(t, proxy, network.Clients[1].Address6)
			if r["assurance"] != "verified" || r["sid"] != samba.SID(t, Alice.Name) {
				t.Errorf("event 2820 has %v, %v, want alice's SID, verified", r["sid"], r["assurance"])
			}
		})
	}
}

// ticketOnTwoMachines uses up the limit on two machines, by both families, and tries to go beyond it on either.
func ticketOnTwoMachines(t *testing.T, proxy *pathProxy, login SambaLogin, first, second *SambaClient) {
	t.Helper()
	samba := proxy.options.samba
	login.Address = samba.Address
	expect(t, "connect", first.Connect("c", login))
	login.Address = samba.Address6
	expect(t, "connect", second.Connect("c", login))
	granted := samba.Status(t).Granted
	handle := expect(t, "bind", first.Bind("c")).Handle
	expect(t, "bind", first.Bind("c"))
	expect(t, "bind on the other machine", second.Bind("c"))
	expectLogonFailed(t, second.Bind("c"))
	expectLogonFailed(t, first.Bind("c"))
	checkSambaHeld(t, proxy.Proxy, samba, pathLimit)
	expect(t, "unbind", first.Unbind("c", handle))
	expect(t, "bind on the other machine after an unbind", second.Bind("c"))
	expectLogonFailed(t, first.Bind("c"))
	if n := samba.Status(t).Granted - granted; n != pathLimit+1 {
		t.Errorf("%s %s: the domain controller has granted %d binds, want %d", login.User.Name, login.Auth, n, pathLimit+1)
	}
	for _, client := range []*SambaClient{first, second} {
		expect(t, "echoes", client.Echo("c", 1, 1_000, 30_000))
		expect(t, "close", client.Close("c"))
	}
	checkSambaHeld(t, proxy.Proxy, samba, 0)
}

// copyPrivate copies a file for the ordinary user, and returns its new path.
func copyPrivate(t *testing.T, file, folder string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(folder, filepath.Base(file))
	writePrivate(t, to, data)
	return to
}
