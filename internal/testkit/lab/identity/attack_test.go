//go:build lab

package identity

import (
	"fmt"
	"testing"

	"github.com/oiweiwei/gokrb5.fork/v9/types"

	"github.com/nspiproxy/nspiproxy/internal/testkit/forge"
	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/ntlm"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/spnego"
)

// attack is a way of alice's, or of a client without any account, to a session: x is a new connection.
type attack struct {
	name string
	auth rpcparse.AuthType
	run  func(t testing.TB, x *lab.Exchange) string
}

// negotiatedNTLM logs on by NTLM in SPNEGO.
func negotiatedNTLM(x *lab.Exchange, i ntlm.Initiator) string {
	i.Without |= unsigned
	negotiate, err := i.Negotiate()
	if err != nil {
		return err.Error()
	}
	offer := forge.Envelope{Init: true, Mechs: []spnego.OID{spnego.OIDNTLM}, Tokens: [][]byte{negotiate}}
	answer, ok, why := x.Leg(offer.Token())
	if !ok {
		return why
	}
	token, err := i.Authenticate(message(answer))
	if err != nil {
		return err.Error()
	}
	if _, ok, why := x.Leg(forge.Envelope{State: -1, Tokens: [][]byte{token}}.Token()); !ok {
		return why
	}
	return ""
}

func alicesNTLM() ntlm.Initiator {
	return ntlm.Initiator{Domain: "X9", User: "ALICE", Password: lab.Alice.Password, Workstation: "PC1"}
}

// attacks are attempts, in order.
type attacks []attack

func (all *attacks) add(name string, auth rpcparse.AuthType, run func(t testing.TB, x *lab.Exchange) string) {
	*all = append(*all, attack{name, auth, run})
}

// attacksOnLimits are mixtures of mechanisms, security contexts and connections, all with alice's own password.
func (k *kit) attacksOnLimits() (all attacks) {
	k.ticketsByOtherNames(&all)
	k.twoMechanisms(&all)
	ntlmForms(&all)
	failedHandshakes(&all)
	k.behindHandshakes(&all)
	return all
}

// ticketsByOtherNames are tickets for other services of the domain controller, and under other names of alice's.
func (k *kit) ticketsByOtherNames(all *attacks) {
	for _, service := range []string{nspiService, "exchangeAB/dc1", "exchangeAB/DC1.LAB.TEST", "EXCHANGEAB/" + lab.SambaHost, "cifs/" + lab.SambaHost, "rpc/dc1", "ldap/dc1.lab.test/lab.test", "DC1$", "dc1$"} {
		all.add("a ticket for "+service, rpcparse.AuthKerberos, func(t testing.TB, x *lab.Exchange) string {
			tick, err := k.tryTicket(lab.Alice.Name, service)
			if err != nil {
				return err.Error()
			}
			return raw.run(x, &forge.Client{Ticket: tick, Flags: forge.DCEStyle})
		})
	}
	for _, name := range []string{"ALICE", "Alice", "alice ", "ＡＬＩＣＥ", "álice", "al\u00adice"} {
		all.add("a ticket as "+name, rpcparse.AuthKerberos, func(t testing.TB, x *lab.Exchange) string {
			tick, err := k.tryTicket(name, nspiService)
			if err != nil {
				return err.Error()
			}
			return raw.run(x, &forge.Client{Ticket: tick, Flags: forge.OneLeg})
		})
	}
}

// twoMechanisms uses two on one connection.
func (k *kit) twoMechanisms(all *attacks) {
	all.add("NTLM, then a ticket in the same context", rpcparse.AuthNTLM, func(t testing.TB, x *lab.Exchange) string {
		if why := authenticate(t, x, spelt("X1", "alice"), lab.Alice.Password); why != "" {
			return why
		}
		x.Type = rpcparse.AuthKerberos
		return raw.run(x, k.alice(forge.OneLeg))
	})
	all.add("NTLM, then a ticket in another context", rpcparse.AuthNTLM, func(t testing.TB, x *lab.Exchange) string {
		if why := authenticate(t, x, spelt("X1", "alice"), lab.Alice.Password); why != "" {
			return why
		}
		x.Type, x.ID = rpcparse.AuthKerberos, 7
		return raw.run(x, k.alice(forge.OneLeg))
	})
	all.add("a ticket, then NTLM in another context", rpcparse.AuthKerberos, func(t testing.TB, x *lab.Exchange) string {
		if x.Leg(k.alice(forge.OneLeg).Request()); x.Group == 0 {
			return "no association"
		}
		x.Type, x.ID = rpcparse.AuthNTLM, 9
		if why := authenticate(t, x, spelt("", "alice"), lab.Alice.Password); why != "" {
			return why
		}
		return x.NspiBind()
	})
}

// ntlmForms is NTLM in SPNEGO, and in contexts of odd numbers.
func ntlmForms(all *attacks) {
	for name, i := range map[string]ntlm.Initiator{
		"a made-up domain": alicesNTLM(),
		"no MIC":           {Domain: "", User: "alice", Password: lab.Alice.Password, NoMIC: true},
		"no target":        {Domain: "Q", User: "alice", Password: lab.Alice.Password, NoMIC: true, Without: ntlm.FlagRequestTarget | ntlm.FlagTargetInfo},
	} {
		all.add("NTLM in SPNEGO, "+name, rpcparse.AuthSPNEGO, func(t testing.TB, x *lab.Exchange) string {
			if why := negotiatedNTLM(x, i); why != "" {
				return why
			}
			return x.NspiBind()
		})
	}
	for _, id := range []uint32{0, 0xffffffff, 0x80000000} {
		all.add(fmt.Sprintf("NTLM in context %#x", id), rpcparse.AuthNTLM, func(t testing.TB, x *lab.Exchange) string {
			x.ID = id
			if why := authenticate(t, x, spelt("X1", "alice"), lab.Alice.Password); why != "" {
				return why
			}
			return x.NspiBind()
		})
	}
}

// failedHandshakes are those of bob's that fail, before and behind alice's.
func failedHandshakes(all *attacks) {
	all.add("NTLM that fails as bob, then alice's in the same context", rpcparse.AuthNTLM, func(t testing.TB, x *lab.Exchange) string {
		_ = authenticate(t, x, bobInLAB, "guess")
		if why := authenticate(t, x, aliceInLAB, lab.Alice.Password); why != "" {
			return why
		}
		return x.NspiBind()
	})
	all.add("NTLM that fails as bob, then alice's in another context", rpcparse.AuthNTLM, func(t testing.TB, x *lab.Exchange) string {
		_ = authenticate(t, x, bobInLAB, "guess")
		x.ID = 2
		if why := authenticate(t, x, aliceInLAB, lab.Alice.Password); why != "" {
			return why
		}
		return x.NspiBind()
	})
	all.add("alice's, then NTLM that fails as bob in another context", rpcparse.AuthNTLM, func(t testing.TB, x *lab.Exchange) string {
		if why := authenticate(t, x, aliceInLAB, lab.Alice.Password); why != "" {
			return why
		}
		x.ID = 2
		_ = authenticate(t, x, bobInLAB, "guess")
		return x.NspiBind()
	})
	all.add("alice's, then only a NEGOTIATE in another context", rpcparse.AuthNTLM, func(t testing.TB, x *lab.Exchange) string {
		if why := authenticate(t, x, aliceInLAB, lab.Alice.Password); why != "" {
			return why
		}
		x.ID = 2
		i := alicesNTLM()
		negotiate, _ := i.Negotiate()
		x.Leg(negotiate)
		return x.NspiBind()
	})
}

// behindHandshakes are alice's tickets in other forms.
func (k *kit) behindHandshakes(all *attacks) {
	all.add("a subkey of the client and 250 elements", rpcparse.AuthSPNEGO, func(t testing.TB, x *lab.Exchange) string {
		c := k.alice(forge.DCEStyle)
		c.Subkey = &types.EncryptionKey{KeyType: 23, KeyValue: make([]byte, 16)}
		return simple.run(x, c)
	})
	all.add("without any token behind an unfinished handshake of bob's", rpcparse.AuthKerberos, func(t testing.TB, x *lab.Exchange) string {
		if _, ok, why := x.Leg(k.bob(forge.DCEStyle).Request()); !ok {
			return why
		}
		x.ID = 2
		return raw.run(x, k.alice(forge.DCEStyle))
	})
}

func (k *kit) tryTicket(name, service string) (*forge.Ticket, error) {
	return k.fetch(name, lab.Alice.Password, service)
}

// TestMixedHandshakesGetNoFurtherLimits: alice tries four times in each way. What is hers is hers, what does not say whose it
// is counts for her network, and bob's limit is whole in the end.
func TestMixedHandshakesGetNoFurtherLimits(t *testing.T) {
	const limit, each = 4, 4
	samba := lab.StartSamba(t)
	samba.SetLimit(t, 10000)
	t.Cleanup(func() { samba.SetLimit(t, 50) })
	k := newKit(t, samba)
	alice := samba.SID(t, lab.Alice.Name)
	keytabs := fmt.Sprintf("keytabs: [%s, %s]", samba.MachineKeytab(), samba.File("users.keytab"))
	for i, c := range []struct {
		name, more string
		want       int // alice's in all
	}{
		{"counted for the network", "identity: {" + keytabs + "}\n", 2 * limit},
		{"refused", "identity: {" + keytabs + ", unreadable: refuse, networks: {ipv4: 16}}\n", limit},
	} {
		t.Run(c.name, func(t *testing.T) {
			proxy := lab.StartProxy(t, lab.ProxyOptions{Front: fmt.Sprintf("127.0.20.%d", 100+i), Samba: samba, Limit: limit, More: c.more})
			address := nspiPort(t, proxy.Front)
			for _, a := range k.attacksOnLimits() {
				for range each {
					a.run(t, lab.DialExchange(t, address, a.auth))
				}
				if n := samba.Status(t).Users[alice]; n > c.want {
					t.Fatalf("%s: alice holds %d, want at most %d", a.name, n, c.want)
				}
			}
			lab.CheckSambaHeld(t, proxy, samba, c.want)
			if x, got := logon(t, address, bobInLAB, lab.Bob.Password); got != "granted" {
				t.Errorf("bob by NTLM: %s", got)
			} else {
				x.Close()
			}
			for range limit {
				if got := raw.run(lab.DialExchange(t, address, rpcparse.AuthKerberos), k.bob(forge.DCEStyle)); got != "granted" {
					t.Errorf("bob by his ticket: %s", got)
				}
			}
		})
	}
}
