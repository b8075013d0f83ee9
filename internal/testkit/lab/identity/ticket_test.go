//go:build lab

package identity

import (
	"fmt"
	"slices"
	"testing"

	"github.com/jcmturner/gofork/encoding/asn1"
	"github.com/oiweiwei/gokrb5.fork/v9/messages"
	"github.com/oiweiwei/gokrb5.fork/v9/types"

	"github.com/nspiproxy/nspiproxy/internal/testkit/forge"
	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/ntlm"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/spnego"
)

// handshake is one way to authenticate, and what a client does with it.
type handshake struct {
	name string
	auth rpcparse.AuthType
	run  func(x *lab.Exchange) string
	// also is a rule that may refuse it too, because the proxy has to decide before it can know what the domain controller
	// says, or because domain controllers differ. Empty: none.
	also string
}

// unknownMech is a mechanism that no server has.
const unknownMech = spnego.OID("\x2b\x06\x01\x04\x01\x81\x37\x5e\x7f")

func of(name string, e envelope, client func() *forge.Client) handshake {
	return handshake{name: name + ", " + e.name, auth: e.auth, run: func(x *lab.Exchange) string { return e.run(x, client()) }}
}

// styles are the handshakes of Kerberos, in every envelope.
func (k *kit) styles() (all []handshake) {
	for _, e := range []envelope{raw, framed, simple, negotiated("SPNEGO, Microsoft's identifier", forge.Envelope{Mechs: []spnego.OID{spnego.OIDMSKerberos, spnego.OIDKerberos, spnego.OIDNTLM}}, forge.Envelope{})} {
		for _, s := range []struct {
			name   string
			client forge.Client
		}{
			{"three legs", forge.Client{Flags: forge.DCEStyle}},
			{"two legs", forge.Client{Flags: forge.Mutual}},
			{"one leg", forge.Client{Flags: forge.OneLeg}},
			{"no checksum", forge.Client{Checksum: -1}},
			{"no checksum, an AP-REP is asked for", forge.Client{Checksum: -1, Options: 0x20}},
			{"two legs, asked for twice", forge.Client{Flags: forge.Mutual, Options: 0x20}},
		} {
			all = append(all, of(s.name, e, func() *forge.Client { c := s.client; c.Ticket = k.tickets[lab.Alice.Name]; return &c }))
		}
	}
	return all
}

// authenticators are what a client may put into its part of the message.
func (k *kit) authenticators() (all []handshake) {
	add := func(name string, change func(c *forge.Client)) {
		for _, e := range []envelope{raw, simple} {
			all = append(all, of(name, e, func() *forge.Client {
				c := k.alice(forge.DCEStyle)
				change(c)
				return c
			}))
		}
	}
	for _, key := range []struct {
		etype int32
		size  int
	}{{17, 16}, {18, 32}, {23, 16}, {16, 24}, {3, 8}, {99, 32}, {18, 31}} {
		add(fmt.Sprintf("subkey of type %d, %d bytes", key.etype, key.size), func(c *forge.Client) {
			c.Subkey = &types.EncryptionKey{KeyType: key.etype, KeyValue: slices.Repeat([]byte{7}, key.size)}
		})
	}
	add("210 elements of authorization data", func(c *forge.Client) {
		c.Edit = func(a *types.Authenticator) {
			a.AuthorizationData = slices.Repeat(types.AuthorizationData{{ADType: 1, ADData: []byte{0x30, 0}}}, 210)
		}
	})
	add("negative number", func(c *forge.Client) { c.Number = -5 })
	add("credentials behind the flags", func(c *forge.Client) {
		c.Edit = func(a *types.Authenticator) { a.Cksum.Checksum = append(a.Cksum.Checksum, make([]byte, 300)...) }
	})
	add("another type in clear", func(c *forge.Client) { c.EditRequest = func(r *messages.APReq) { r.EncryptedAuthenticator.EType = 17 } })
	add("another name in the authenticator", func(c *forge.Client) {
		c.Edit = func(a *types.Authenticator) { a.CName = types.NewPrincipalName(1, lab.Bob.Name) }
	})
	for name, c := range map[string]forge.Client{"two legs": {Flags: forge.Mutual}, "one leg": {Flags: forge.OneLeg}, "no checksum": {Checksum: -1}} {
		for _, e := range []envelope{raw, framed, simple} {
			all = append(all, of("a clock of last year, "+name, e, func() *forge.Client {
				c := c
				c.Ticket = k.tickets[lab.Alice.Name]
				c.Edit = func(a *types.Authenticator) { a.CTime = a.CTime.AddDate(-1, 0, 0) }
				return &c
			}), of("of another session key, "+name, e, func() *forge.Client {
				c, t := c, *k.tickets[lab.Alice.Name]
				t.Session = forge.NewKey(5)
				c.Ticket = &t
				return &c
			}), of("an expired ticket, "+name, e, func() *forge.Client {
				c := c
				c.Ticket = k.tickets[lab.Alice.Name].Edited(k.dc, func(p *messages.EncTicketPart) { p.EndTime = p.AuthTime.AddDate(-1, 0, 0) })
				return &c
			}))
		}
	}
	add("a clock of last year", func(c *forge.Client) { c.Edit = func(a *types.Authenticator) { a.CTime = a.CTime.AddDate(-1, 0, 0) } })
	return all
}

// tickets are what a ticket may say of itself in clear, and what a KDC or the owner of a key may put into one.
func (k *kit) ticketForms() (all []handshake) {
	clear := func(name string, change func(t *messages.Ticket)) {
		all = append(all, of(name, raw, func() *forge.Client {
			c := k.alice(forge.DCEStyle)
			c.EditRequest = func(r *messages.APReq) { change(&r.Ticket) }
			return c
		}))
	}
	clear("service foo/bar", func(t *messages.Ticket) { t.SName.NameString = []string{"foo", "bar"} })
	clear("service of 17 parts", func(t *messages.Ticket) { t.SName.NameString = slices.Repeat([]string{"x"}, 17) })
	clear("another realm", func(t *messages.Ticket) { t.Realm = "X.ORG" })
	clear("no version", func(t *messages.Ticket) { t.EncPart.KVNO = 0 })
	clear("another version", func(t *messages.Ticket) { t.EncPart.KVNO = 77 })
	clear("a read-only domain controller's version", func(t *messages.Ticket) { t.EncPart.KVNO |= 7 << 16 })
	clear("foo/bar, another realm, no version", func(t *messages.Ticket) {
		t.SName.NameString, t.Realm, t.EncPart.KVNO = []string{"foo", "bar"}, "X.ORG", 0
	})
	clear("another encryption type", func(t *messages.Ticket) { t.EncPart.EType = 17 })
	inside := func(name string, change func(p *messages.EncTicketPart)) {
		all = append(all, of(name, raw, func() *forge.Client {
			c := k.alice(forge.DCEStyle)
			c.Ticket = c.Ticket.Edited(k.dc, change)
			return c
		}))
	}
	empty, _ := asn1.Marshal(types.AuthorizationData{})
	many := slices.Repeat(types.AuthorizationData{{ADType: 1, ADData: empty}}, 210)
	forged := forge.Relevant(forge.PAC(k.aliceRC4AsAES(), "bob", k.sidOf(lab.Bob.Name)))
	inside("210 containers in front", func(p *messages.EncTicketPart) { p.AuthorizationData = append(many[:210:210], p.AuthorizationData...) })
	inside("210 containers behind", func(p *messages.EncTicketPart) { p.AuthorizationData = append(p.AuthorizationData, many...) })
	inside("a forged PAC behind", func(p *messages.EncTicketPart) { p.AuthorizationData = append(p.AuthorizationData, forged...) })
	inside("a forged PAC in front", func(p *messages.EncTicketPart) { p.AuthorizationData = append(forged[:1:1], p.AuthorizationData...) })
	inside("no PAC", func(p *messages.EncTicketPart) { p.AuthorizationData = nil })
	inside("expired", func(p *messages.EncTicketPart) { p.EndTime = p.AuthTime.AddDate(-1, 0, 0) })
	inside("of another realm", func(p *messages.EncTicketPart) { p.CRealm = "X.ORG" })
	inside("of another name", func(p *messages.EncTicketPart) { p.CName = types.NewPrincipalName(1, lab.Bob.Name) })
	all = append(all,
		of("made with alice's key for bob", raw, func() *forge.Client {
			return &forge.Client{Ticket: forge.NewTicket(k.aliceRC4AsAES(), "bob", k.sidOf(lab.Bob.Name)), Flags: forge.OneLeg}
		}),
		of("user to user", raw, func() *forge.Client { c := k.alice(forge.DCEStyle); c.Options = 0x40; return c }),
	)
	return all
}

// aliceRC4AsAES is a key that alice has and the domain controller has not.
func (k *kit) aliceRC4AsAES() types.EncryptionKey {
	return types.EncryptionKey{KeyType: 18, KeyValue: slices.Repeat(k.aliceRC4.KeyValue, 2)}
}

func (k *kit) sidOf(user string) string {
	for sid, name := range k.sids {
		if name == user {
			return sid
		}
	}
	return ""
}

// encodings are other ways to write the same.
func (k *kit) encodings() (all []handshake) {
	for name, encode := range map[string]func([]byte) []byte{
		"length of nine octets":  func(b []byte) []byte { return forge.Long(b, 9) },
		"length of three octets": func(b []byte) []byte { return forge.Long(b, 3) },
		"length of four octets":  func(b []byte) []byte { return forge.Long(b, 4) },
		"indefinite length":      forge.Indefinite,
		"four bytes behind":      func(b []byte) []byte { return append(b, 1, 2, 3, 4) },
		"zeros in front of numbers": func(b []byte) []byte {
			return forge.Rewritten(b, func(tag byte, content []byte) (byte, []byte) {
				if tag == 0x02 { // INTEGER
					content = append([]byte{0}, content...)
				}
				return tag, content
			})
		},
		"bits behind those in use": func(b []byte) []byte {
			return forge.Rewritten(b, func(tag byte, content []byte) (byte, []byte) {
				if tag == 0x03 { // BIT STRING
					content = slices.Concat([]byte{7}, content[1:], []byte{0x7f})
				}
				return tag, content
			})
		},
	} {
		e := envelope{"raw", rpcparse.AuthKerberos, encode, bare}
		all = append(all, of("request with "+name, e, func() *forge.Client { return k.alice(forge.DCEStyle) }))
		e = envelope{"raw", rpcparse.AuthKerberos, bare, encode}
		all = append(all, of("third leg with "+name, e, func() *forge.Client { return k.alice(forge.DCEStyle) }))
		e = envelope{"framed", rpcparse.AuthKerberos, func(b []byte) []byte { return forge.Frame(encode(b)) }, bare}
		all = append(all, of("framed request with "+name, e, func() *forge.Client { return k.alice(forge.Mutual) }))
	}
	for _, e := range []envelope{
		negotiated("SPNEGO with 34 mechanisms", forge.Envelope{Mechs: append([]spnego.OID{spnego.OIDKerberos}, slices.Repeat([]spnego.OID{unknownMech}, 33)...)}, forge.Envelope{}),
		negotiated("SPNEGO, fields the other way round", forge.Envelope{Reversed: true}, forge.Envelope{Reversed: true}),
		negotiated("SPNEGO, length of three octets", forge.Envelope{Octets: 3}, forge.Envelope{Octets: 3}),
		negotiated("SPNEGO, length of four octets", forge.Envelope{Octets: 4}, forge.Envelope{Octets: 4}),
		negotiated("SPNEGO, a token in front of the right one", forge.Envelope{Tokens: [][]byte{[]byte("nonsense")}}, forge.Envelope{}),
		negotiated("SPNEGO, the right one in front of a stolen one", forge.Envelope{}, forge.Envelope{Tokens: [][]byte{k.bob(forge.OneLeg).Request()}}),
		negotiated("SPNEGO without the frame", forge.Envelope{Bare: true}, forge.Envelope{}),
		negotiated("SPNEGO, a padded identifier", forge.Envelope{Mechs: []spnego.OID{"\x2a\x80\x86\x48\x86\xf7\x12\x01\x02\x02"}}, forge.Envelope{}),
		{"SPNEGO, an unknown state", rpcparse.AuthSPNEGO, simple.first, func(b []byte) []byte { return forge.Envelope{State: 9, Tokens: [][]byte{b}}.Token() }},
	} {
		all = append(all, of("three legs", e, func() *forge.Client { return k.alice(forge.DCEStyle) }), of("one leg", e, func() *forge.Client { return k.alice(forge.OneLeg) }))
	}
	for _, flags := range []uint32{forge.DCEStyle, forge.OneLeg} {
		all = append(all, handshake{name: fmt.Sprintf("SPNEGO in two pieces, flags %#x", flags), auth: rpcparse.AuthSPNEGO, run: func(x *lab.Exchange) string {
			return inPieces(x, k.alice(flags))
		}})
	}
	return all
}

// inPieces makes a handshake in SPNEGO whose tokens come in two PDUs each.
func inPieces(x *lab.Exchange, c *forge.Client) string {
	leg := func(token []byte) (answer []byte, ok bool, why string) {
		if _, ok, why := x.Leg(token[:len(token)/2]); !ok {
			return nil, false, why
		}
		return x.Leg(token[len(token)/2:])
	}
	answer, ok, why := leg(simple.first(c.Request()))
	if !ok {
		return why
	}
	if third, ok := c.Third(message(answer)); ok && c.Flags&forge.FlagDCE != 0 {
		if _, ok, why := leg(simple.later(third)); !ok {
			return why
		}
	}
	return x.NspiBind()
}

// attacks are those of alice, who has seen bob's messages, and of somebody who has only seen them.
func (k *kit) attacks() []handshake {
	stolen := func() []byte { return k.bob(forge.DCEStyle).Request() }
	optimistic := func(auth forge.Envelope) func(x *lab.Exchange) string {
		return func(x *lab.Exchange) string {
			auth := auth
			auth.Init, auth.Mechs, auth.Tokens = true, []spnego.OID{unknownMech, spnego.OIDKerberos}, [][]byte{stolen()}
			if _, ok, why := x.Leg(auth.Token()); !ok {
				return why
			}
			c := k.alice(forge.DCEStyle)
			answer, ok, why := x.Leg(forge.Envelope{State: -1, Tokens: [][]byte{c.Request()}, Octets: 4}.Token())
			if !ok {
				return why
			}
			return simple.finish(x, c, answer)
		}
	}
	return []handshake{
		{name: "replayed, without the last leg", auth: rpcparse.AuthKerberos, run: func(x *lab.Exchange) string {
			if _, ok, why := x.Leg(stolen()); !ok {
				return why
			}
			return x.NspiBind()
		}},
		{name: "replayed, with a last leg of another handshake", auth: rpcparse.AuthKerberos, run: func(x *lab.Exchange) string {
			bob, other := k.bob(forge.DCEStyle), k.alice(forge.DCEStyle)
			if _, ok, why := x.Leg(bob.Request()); !ok {
				return why
			}
			other.Request()
			third, _ := other.Third(other.Answer(nil))
			if _, ok, _ := x.Leg(third); !ok {
				return x.NspiBind()
			}
			return x.NspiBind()
		}},
		{name: "last leg in an auth3", auth: rpcparse.AuthKerberos, run: func(x *lab.Exchange) string {
			c := k.alice(forge.DCEStyle)
			answer, ok, why := x.Leg(c.Request())
			if !ok {
				return why
			}
			third, _ := c.Third(message(answer))
			_ = x.Last(third)
			return x.NspiBind()
		}},
		{name: "a wrong last leg in an auth3", auth: rpcparse.AuthKerberos, run: func(x *lab.Exchange) string {
			if _, ok, why := x.Leg(stolen()); !ok {
				return why
			}
			_ = x.Last([]byte{0x6f, 0})
			return x.NspiBind()
		}},
		{name: "a stolen ticket for a mechanism that is not known, then alice's", auth: rpcparse.AuthSPNEGO, run: optimistic(forge.Envelope{})},
		{name: "the same in other forms", auth: rpcparse.AuthSPNEGO, run: optimistic(forge.Envelope{Reversed: true, Octets: 4})},
		{name: "a stolen ticket, then alice's in the same context", auth: rpcparse.AuthKerberos, run: func(x *lab.Exchange) string {
			x.Leg(stolen())
			return raw.run(x, k.alice(forge.DCEStyle))
		}},
		{name: "a stolen ticket of one leg, then alice's", auth: rpcparse.AuthKerberos, run: func(x *lab.Exchange) string {
			x.Leg(k.bob(forge.OneLeg).Request())
			return raw.run(x, k.alice(forge.OneLeg))
		}},
		{name: "a length of five octets in the last leg", auth: rpcparse.AuthKerberos, run: func(x *lab.Exchange) string {
			c := k.alice(forge.DCEStyle)
			answer, ok, why := x.Leg(c.Request())
			if !ok {
				return why
			}
			third, _ := c.Third(message(answer))
			if _, ok, why := x.Leg(forge.Long(third, 5)); !ok {
				return why
			}
			return x.NspiBind()
		}},
		{name: "a ticket is offered, and NTLM taken", auth: rpcparse.AuthSPNEGO, run: func(x *lab.Exchange) string {
			return ntlmBehindTicket(x, k.bob(forge.OneLeg).Request(), spelt("LAB", lab.Alice.Name), lab.Alice.Password, 0)
		}},
		{name: "a stolen ticket is offered, and NTLM fails", auth: rpcparse.AuthSPNEGO, run: func(x *lab.Exchange) string {
			return ntlmBehindTicket(x, k.bob(forge.OneLeg).Request(), spelt("LAB", lab.Bob.Name), "guess", 0)
		}},
		{name: "two contexts, alice's and a stolen one", auth: rpcparse.AuthKerberos, run: func(x *lab.Exchange) string {
			if got := raw.run(x, k.alice(forge.OneLeg)); got != "granted" {
				return got
			}
			x.ID = 2
			x.Leg(stolen())
			return x.NspiBind()
		}},
	}
}

// ntlmBehindTicket offers a ticket for a mechanism that is not known, and logs on by NTLM, in lengths of so many octets.
func ntlmBehindTicket(x *lab.Exchange, ticket []byte, s spelling, password string, octets int) string {
	offer := forge.Envelope{Init: true, Mechs: []spnego.OID{unknownMech, spnego.OIDNTLM}, Tokens: [][]byte{ticket}}
	if _, ok, why := x.Leg(offer.Token()); !ok {
		return why
	}
	i := ntlm.Initiator{Domain: s.domain, User: s.user, Password: password, Workstation: "PC1", Without: unsigned}
	negotiate, err := i.Negotiate()
	if err != nil {
		return err.Error()
	}
	put := func(token []byte) []byte {
		return forge.Envelope{State: -1, Tokens: [][]byte{token}, Octets: octets}.Token()
	}
	answer, ok, why := x.Leg(put(negotiate))
	if !ok {
		return why
	}
	authenticate, err := i.Authenticate(message(answer))
	if err != nil {
		return err.Error()
	}
	if _, ok, why := x.Leg(put(authenticate)); !ok {
		return why
	}
	return x.NspiBind()
}

// truth is whom the domain controller has taken the client of a connection for last; empty: nobody who has a name.
func (k *kit) truth(samba *lab.Samba, x *lab.Exchange) (name string) {
	for _, a := range samba.Audit(k.t, x.Local()) {
		if a.Kind == "Authorization" && k.sids[a.SID] != "" {
			name = k.sids[a.SID]
		}
	}
	return name
}

// TestTheUserOfAHandshakeIsTheDomainControllers: each handshake is made directly, where Samba's audit says whose it is, and
// through a proxy that refuses everybody by a rule of his own: the rule that refuses must be his.
func TestTheUserOfAHandshakeIsTheDomainControllers(t *testing.T) {
	samba := lab.StartSamba(t)
	k := newKit(t, samba)
	rules := "  rules:\n"
	for sid, name := range k.sids {
		rules += fmt.Sprintf("    - {name: %s-ticket, match: {sid: %s, assurance: verified}, limit: 0}\n    - {name: %s, match: {account: 'LAB\\%s'}, limit: 0}\n", name, sid, name, name)
	}
	rules += "    - {name: unreadable, match: {assurance: unreadable}, limit: 0}\n"
	proxy := lab.StartProxy(t, lab.ProxyOptions{
		Front: "127.0.20.93", Samba: samba, Limit: 50, Policy: rules,
		More: fmt.Sprintf("identity:\n  keytabs: [%s, %s]\n", samba.MachineKeytab(), samba.File("users.keytab")),
	})
	direct, through := nspiPort(t, samba.Address), nspiPort(t, proxy.Front)
	all := slices.Concat(k.styles(), k.authenticators(), k.ticketForms(), k.encodings(), k.attacks(), k.pacs(), k.legs())
	if len(all) < 80 {
		t.Errorf("%d handshakes only", len(all))
	}
	granted := 0
	for _, h := range all {
		x := lab.DialExchange(t, direct, h.auth)
		want := h.run(x)
		owner := k.truth(samba, x)
		x.Close()
		before := refusals(t, proxy)
		x = lab.DialExchange(t, through, h.auth)
		got := h.run(x)
		x.Close()
		by := ""
		for rule, n := range refusals(t, proxy) {
			if n > before[rule] {
				by += rule
			}
		}
		expect := ""
		if want == "granted" {
			granted++
			expect = owner + "-ticket"
		}
		// Whose handshake failed is of nobody: it may be counted as unreadable, and never for somebody.
		ok := by == expect || by == "unreadable" && want != "granted" || by == owner && expect == owner+"-ticket" && h.auth == rpcparse.AuthSPNEGO
		if allowed := h.also != "" && by == h.also; !allowed && (!ok || want != "granted" && got != want) {
			t.Errorf("%s: the domain controller: %s, %q; through the proxy %s, refused by rule %q, want %q", h.name, want, owner, got, by, expect)
		} else if testing.Verbose() {
			t.Logf("%-70s %-12s %-6s %s", h.name, want, owner, by)
		}
	}
	t.Logf("%d of %d handshakes are accepted", granted, len(all))
	if granted < len(all)/3 {
		t.Error("hardly any")
	}
}

// refusals counts the refusals of each rule.
func refusals(t testing.TB, proxy *lab.Proxy) map[string]float64 {
	t.Helper()
	counts, m := map[string]float64{}, proxy.Metrics(t.(*testing.T))
	for _, rule := range []string{"alice-ticket", "bob-ticket", "alice", "bob", "unreadable"} {
		counts[rule] = m.Sum("nspiproxy_refusals_total", `rule="`+rule+`"`)
	}
	return counts
}
