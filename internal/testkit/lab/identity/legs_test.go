//go:build lab

package identity

import (
	"slices"
	"time"

	"github.com/oiweiwei/gokrb5.fork/v9/messages"
	"github.com/oiweiwei/gokrb5.fork/v9/types"

	"github.com/nspiproxy/nspiproxy/internal/testkit/forge"
	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/spnego"
)

// legs are handshakes that are left unfinished, go on after a failure, or are followed by another.
func (k *kit) legs() []handshake {
	return slices.Concat(k.lastLegs(), k.sequences(), k.fallbacks(), k.forgeries(), k.aliases(), k.replays())
}

// lastLegs are what may follow the server's answer in DCE style.
func (k *kit) lastLegs() (all []handshake) {
	add := func(name string, last func(c *forge.Client, answer []byte) []byte) {
		for _, e := range []envelope{raw, simple} {
			for place, send := range map[string]func(x *lab.Exchange, token []byte){
				"alter_context": func(x *lab.Exchange, token []byte) { x.Leg(token) },
				"auth3":         func(x *lab.Exchange, token []byte) { _ = x.Last(token) },
			} {
				h := handshake{name: name + " in " + place + ", " + e.name, auth: e.auth}
				if place == "auth3" && e.auth == rpcparse.AuthSPNEGO {
					// Samba wants to answer the last leg in SPNEGO, and refuses the request instead. The client has proven itself.
					h.also = "alice-ticket"
				}
				h.run = func(x *lab.Exchange) string {
					c := k.alice(forge.DCEStyle)
					answer, ok, why := x.Leg(e.first(c.Request()))
					if !ok {
						return why
					}
					if token := last(c, message(answer)); token != nil {
						send(x, e.later(token))
					}
					return x.NspiBind()
				}
				all = append(all, h)
			}
		}
	}
	add("last leg", func(c *forge.Client, answer []byte) []byte { third, _ := c.Third(answer); return third })
	add("last leg, four bytes behind", func(c *forge.Client, answer []byte) []byte {
		third, _ := c.Third(answer)
		return append(third, 1, 2, 3, 4)
	})
	add("last leg of another number", func(c *forge.Client, answer []byte) []byte { return c.Answer(nil) })
	add("the server's own answer as last leg", func(_ *forge.Client, answer []byte) []byte { return answer })
	add("the request as last leg", func(c *forge.Client, _ []byte) []byte { return c.Request() })
	add("bob's request as last leg", func(*forge.Client, []byte) []byte { return k.bob(forge.DCEStyle).Request() })
	add("bob's request of one leg as last leg", func(*forge.Client, []byte) []byte { return k.bob(forge.OneLeg).Request() })
	return all
}

// then makes the handshakes of several clients one after the other, each in the security context of that number, and opens
// a session at the end. What fails is no reason to end.
func then(name string, e envelope, contexts []uint32, clients ...func() *forge.Client) handshake {
	return handshake{name: name + ", " + e.name, auth: e.auth, run: func(x *lab.Exchange) string {
		for i, client := range clients {
			x.ID = contexts[i]
			c := client()
			answer, _, _ := x.Leg(e.first(c.Request()))
			if third, ok := c.Third(message(answer)); ok && c.Flags&forge.FlagDCE != 0 {
				x.Leg(e.later(third))
			}
		}
		return x.NspiBind()
	}}
}

// sequences are several handshakes of one connection.
func (k *kit) sequences() (all []handshake) {
	late := func(user func(uint32) *forge.Client, flags uint32) func() *forge.Client {
		return func() *forge.Client {
			c := user(flags)
			c.Edit = func(a *types.Authenticator) { a.CTime = a.CTime.Add(-time.Hour) }
			return c
		}
	}
	good := func(user func(uint32) *forge.Client, flags uint32) func() *forge.Client {
		return func() *forge.Client { return user(flags) }
	}
	same, other := []uint32{1, 1}, []uint32{1, 2}
	for _, e := range []envelope{raw, simple} {
		for name, flags := range map[string]uint32{"three legs": forge.DCEStyle, "one leg": forge.OneLeg} {
			// Samba ends the connection; the client's next request may be faster than that.
			again := then("alice's, then bob's in the same context, "+name, e, same, good(k.alice, flags), good(k.bob, flags))
			again.also = "alice-ticket"
			// Samba takes a request without a verifier for one of the last context, Windows demands a verifier.
			both := then("alice's, then bob's in another context, "+name, e, other, good(k.alice, flags), good(k.bob, flags))
			both.also = "unreadable"
			all = append(all, again, both,
				then("alice's that is too late, then alice's, "+name, e, same, late(k.alice, flags), good(k.alice, flags)),
				then("bob's that is too late, then alice's, "+name, e, same, late(k.bob, flags), good(k.alice, flags)),
				then("alice's, then bob's that is too late in another context, "+name, e, other, good(k.alice, flags), late(k.bob, flags)),
			)
		}
	}
	return all
}

// fallbacks offer a ticket in SPNEGO, and mean another.
func (k *kit) fallbacks() (all []handshake) {
	stolen := k.bob(forge.OneLeg).Request
	for _, f := range []struct {
		name  string
		first forge.Envelope
		later forge.Envelope
		flags uint32
	}{
		{"alice's after bob's, whose mechanism is not known", forge.Envelope{Mechs: []spnego.OID{unknownMech, spnego.OIDKerberos}}, forge.Envelope{}, forge.DCEStyle},
		{"alice's of one leg after bob's, whose mechanism is not known", forge.Envelope{Mechs: []spnego.OID{unknownMech, spnego.OIDKerberos}}, forge.Envelope{Octets: 4}, forge.OneLeg},
		{"alice's after bob's, offered as NTLM", forge.Envelope{Mechs: []spnego.OID{spnego.OIDNTLM, spnego.OIDKerberos}}, forge.Envelope{}, forge.DCEStyle},
		{"alice's after bob's, fields the other way round", forge.Envelope{Mechs: []spnego.OID{unknownMech, spnego.OIDKerberos}}, forge.Envelope{Reversed: true}, forge.DCEStyle},
		{"alice's after bob's, with nonsense in front", forge.Envelope{Mechs: []spnego.OID{unknownMech, spnego.OIDKerberos}}, forge.Envelope{Tokens: [][]byte{[]byte("?")}}, forge.OneLeg},
	} {
		all = append(all, handshake{name: f.name, auth: rpcparse.AuthSPNEGO, run: func(x *lab.Exchange) string {
			first := f.first
			first.Init, first.Tokens = true, [][]byte{stolen()}
			if _, ok, why := x.Leg(first.Token()); !ok {
				return why
			}
			c, later := k.alice(f.flags), f.later
			later.State, later.Tokens = -1, append(slices.Clone(later.Tokens), c.Request())
			answer, ok, why := x.Leg(later.Token())
			if !ok {
				return why
			}
			return simple.finish(x, c, answer)
		}})
	}
	for name, octets := range map[string]int{"NTLM": 0, "NTLM in lengths of four octets": 4} {
		all = append(all, handshake{name: "bob's ticket is offered, and alice's " + name + " taken", auth: rpcparse.AuthSPNEGO, run: func(x *lab.Exchange) string {
			return ntlmBehindTicket(x, stolen(), aliceInLAB, lab.Alice.Password, octets)
		}})
	}
	return all
}

// forgeries are tickets for bob that alice makes with her own RC4 key, which the proxy has for NTLM.
func (k *kit) forgeries() (all []handshake) {
	forged := func(flags uint32, change func(t *messages.Ticket)) func() *forge.Client {
		return func() *forge.Client {
			t := forge.NewTicket(k.aliceRC4, lab.Bob.Name, k.sidOf(lab.Bob.Name))
			change(&t.Ticket)
			return &forge.Client{Ticket: t, Flags: flags}
		}
	}
	for name, change := range map[string]func(t *messages.Ticket){
		"as it is":                func(*messages.Ticket) {},
		"for alice as a service":  func(t *messages.Ticket) { t.SName.NameString = []string{lab.Alice.Name} },
		"for DC1$, no version":    func(t *messages.Ticket) { t.SName.NameString, t.EncPart.KVNO = []string{"DC1$"}, 0 },
		"for alice of no version": func(t *messages.Ticket) { t.SName.NameString, t.EncPart.KVNO = []string{lab.Alice.Name}, 0 },
	} {
		for _, e := range []envelope{raw, simple} {
			all = append(all, of("made with alice's RC4 key for bob, "+name, e, forged(forge.OneLeg, change)))
		}
	}
	return append(all, handshake{name: "made with alice's RC4 key for bob, then alice's own", auth: rpcparse.AuthSPNEGO, run: func(x *lab.Exchange) string {
		offer := forge.Envelope{Init: true, Mechs: []spnego.OID{unknownMech, spnego.OIDKerberos}, Tokens: [][]byte{forged(forge.OneLeg, func(*messages.Ticket) {})().Request()}}
		if _, ok, why := x.Leg(offer.Token()); !ok {
			return why
		}
		c := k.alice(forge.OneLeg)
		if _, ok, why := x.Leg(forge.Envelope{State: -1, Tokens: [][]byte{c.Request()}, Octets: 4}.Token()); !ok {
			return why
		}
		return x.NspiBind()
	}})
}

// aliases are tickets for other services of the domain controller's account, with and without what says which it is.
func (k *kit) aliases() (all []handshake) {
	for _, service := range []string{"exchangeAB/dc1", "ldap/" + lab.SambaHost, "host/" + lab.SambaHost} {
		t := k.ticket(lab.Alice, service)
		for name, kvno := range map[string]int{"": t.EncPart.KVNO, ", no version": 0} {
			all = append(all, of("a ticket for "+service+name, raw, func() *forge.Client {
				c := &forge.Client{Ticket: t, Flags: forge.DCEStyle}
				c.EditRequest = func(r *messages.APReq) { r.Ticket.EncPart.KVNO = kvno }
				return c
			}))
		}
	}
	return all
}

// replays are of bob's requests, byte for byte, by a client without a key. Samba 4.17 remembers no requests, and takes its
// own answer for the last leg: the session is bob's there, so it is his for the proxy too.
func (k *kit) replays() []handshake {
	recorded := k.bob(forge.DCEStyle).Request()
	return []handshake{
		{name: "a recorded request, and the server's answer as last leg", auth: rpcparse.AuthKerberos, run: func(x *lab.Exchange) string {
			answer, ok, why := x.Leg(recorded)
			if !ok {
				return why
			}
			if _, ok, why := x.Leg(answer); !ok {
				return why
			}
			return x.NspiBind()
		}},
		{name: "a recorded request, and no last leg", auth: rpcparse.AuthKerberos, run: func(x *lab.Exchange) string {
			if _, ok, why := x.Leg(recorded); !ok {
				return why
			}
			return x.NspiBind()
		}},
	}
}
