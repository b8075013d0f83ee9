//go:build lab

package identity

import (
	"encoding/binary"
	"slices"

	"github.com/jcmturner/gofork/encoding/asn1"
	"github.com/oiweiwei/gokrb5.fork/v9/crypto"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/adtype"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/keyusage"
	"github.com/oiweiwei/gokrb5.fork/v9/messages"
	"github.com/oiweiwei/gokrb5.fork/v9/types"

	"github.com/nspiproxy/nspiproxy/internal/testkit/forge"
	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
)

// pacOf is the PAC that the KDC has put into a user's ticket.
func (k *kit) pacOf(user string) []byte {
	k.t.Helper()
	enc := k.tickets[user].EncPart
	plain, err := crypto.DecryptEncPart(enc, k.dc, keyusage.KDC_REP_TICKET)
	if err != nil {
		k.t.Fatal(err)
	}
	var part messages.EncTicketPart
	if err := part.Unmarshal(plain); err != nil {
		k.t.Fatal(err)
	}
	pac := forge.PACOf(part.AuthorizationData)
	if pac == nil {
		k.t.Fatalf("the KDC has made no PAC for %s", user)
	}
	return pac
}

// buffer is the first of a type in a user's PAC.
func (k *kit) buffer(user string, kind uint32) forge.Buffer {
	buffers := forge.Buffers(k.pacOf(user))
	return buffers[slices.IndexFunc(buffers, func(b forge.Buffer) bool { return b.Kind == kind })]
}

// pacs are alice's tickets with other PACs: what the owner of the domain controller's key can make, and what one without
// it would try.
func (k *kit) pacs() (all []handshake) {
	add := func(name string, data types.AuthorizationData) {
		all = append(all, of("PAC: "+name, raw, func() *forge.Client {
			c := k.alice(forge.DCEStyle)
			c.Ticket = c.Ticket.Edited(k.dc, func(p *messages.EncTicketPart) { p.AuthorizationData = data })
			return c
		}))
	}
	change := func(name string, change func(b []forge.Buffer) []forge.Buffer) {
		add(name, forge.Relevant(forge.Signed(k.dc, change(forge.Buffers(k.pacOf(lab.Alice.Name)))...)))
	}
	change("signed again", func(b []forge.Buffer) []forge.Buffer { return b })
	change("unknown buffers in front", func(b []forge.Buffer) []forge.Buffer {
		return append([]forge.Buffer{{Kind: 99, Data: []byte("unknown")}, {Kind: 1 << 31}}, b...)
	})
	change("60 unknown buffers behind", func(b []forge.Buffer) []forge.Buffer {
		return append(b, slices.Repeat([]forge.Buffer{{Kind: 77, Data: make([]byte, 9)}}, 60)...)
	})
	change("the other way round", func(b []forge.Buffer) []forge.Buffer { slices.Reverse(b); return b })
	for _, kind := range []struct {
		name string
		kind uint32
	}{{"logon info", forge.LogonInfo}, {"names", forge.UPNInfo}, {"client's name", forge.ClientInfo}} {
		bobs := k.buffer(lab.Bob.Name, kind.kind)
		change("a second "+kind.name+" in front, bob's", func(b []forge.Buffer) []forge.Buffer { return append([]forge.Buffer{bobs}, b...) })
		change("a second "+kind.name+" behind, bob's", func(b []forge.Buffer) []forge.Buffer { return append(b, bobs) })
		change("bob's "+kind.name+" instead", func(b []forge.Buffer) []forge.Buffer {
			b[slices.IndexFunc(b, func(b forge.Buffer) bool { return b.Kind == kind.kind })] = bobs
			return b
		})
		change("no "+kind.name, func(b []forge.Buffer) []forge.Buffer {
			return slices.DeleteFunc(b, func(b forge.Buffer) bool { return b.Kind == kind.kind })
		})
		change("cut "+kind.name, func(b []forge.Buffer) []forge.Buffer {
			i := slices.IndexFunc(b, func(b forge.Buffer) bool { return b.Kind == kind.kind })
			b[i].Data = b[i].Data[:len(b[i].Data)/2]
			return b
		})
	}
	for name, kind := range map[string]uint32{"server's signature": forge.ServerSignature, "KDC's signature": forge.KDCSignature} {
		change("two "+name+"s", func(b []forge.Buffer) []forge.Buffer { return append(b, k.buffer(lab.Alice.Name, kind)) })
		change("an identifier behind the "+name, func(b []forge.Buffer) []forge.Buffer {
			i := slices.IndexFunc(b, func(b forge.Buffer) bool { return b.Kind == kind })
			b[i].Data = append(b[i].Data, 7, 0)
			return b
		})
		add("an identifier that was zero behind the "+name, forge.Relevant(k.identified(kind)))
	}
	change("no KDC's signature", func(b []forge.Buffer) []forge.Buffer {
		return slices.DeleteFunc(b, func(b forge.Buffer) bool { return b.Kind == forge.KDCSignature })
	})
	return append(all, k.pacPlaces()...)
}

// identified is alice's PAC with the identifier of a read-only domain controller, which was zero when it was signed.
func (k *kit) identified(kind uint32) []byte {
	buffers := forge.Buffers(k.pacOf(lab.Alice.Name))
	i := slices.IndexFunc(buffers, func(b forge.Buffer) bool { return b.Kind == kind })
	buffers[i].Data = append(buffers[i].Data, 0, 0)
	buffers = forge.Buffers(forge.Signed(k.dc, buffers...))
	binary.LittleEndian.PutUint16(buffers[i].Data[len(buffers[i].Data)-2:], 7)
	return forge.Unsigned(buffers...)
}

// pacPlaces are other places of PACs, several of them, and PACs with another signature.
func (k *kit) pacPlaces() (all []handshake) {
	alices, bobs := k.pacOf(lab.Alice.Name), k.pacOf(lab.Bob.Name)
	bare := types.AuthorizationData{{ADType: adtype.ADWin2KPAC, ADData: alices}}
	nested, _ := asn1.Marshal(forge.Relevant(alices))
	other := forge.Buffers(bobs)
	i := slices.IndexFunc(other, func(b forge.Buffer) bool { return b.Kind == forge.ServerSignature })
	clear(other[i].Data[4:])
	unsigned := forge.Unsigned(other...)
	byAlice := forge.Signed(k.aliceRC4, forge.Buffers(bobs)...)
	for _, p := range []struct {
		name string
		data types.AuthorizationData
	}{
		{"without a container", bare},
		{"in two containers", types.AuthorizationData{{ADType: adtype.ADIfRelevant, ADData: nested}}},
		{"alice's and bob's, both signed", forge.Relevant(alices, bobs)},
		{"bob's and alice's, both signed", forge.Relevant(bobs, alices)},
		{"alice's and bob's, in containers of their own", append(forge.Relevant(alices), forge.Relevant(bobs)...)},
		{"bob's and alice's, in containers of their own", append(forge.Relevant(bobs), forge.Relevant(alices)...)},
		{"bob's without a container, then alice's", append(types.AuthorizationData{{ADType: adtype.ADWin2KPAC, ADData: bobs}}, forge.Relevant(alices)...)},
		{"alice's, then bob's without a container", append(forge.Relevant(alices), types.AuthorizationDataEntry{ADType: adtype.ADWin2KPAC, ADData: bobs})},
		{"bob's alone, with a blank signature", forge.Relevant(unsigned)},
		{"bob's alone, signed with alice's key", forge.Relevant(byAlice)},
		{"bob's with a blank signature, then alice's", forge.Relevant(unsigned, alices)},
		{"alice's, then bob's signed with alice's key", forge.Relevant(alices, byAlice)},
		{"bob's signed with alice's key, then alice's", forge.Relevant(byAlice, alices)},
		{"an empty one, then alice's", forge.Relevant(nil, alices)},
		{"a container that cannot be read, then alice's", append(types.AuthorizationData{{ADType: adtype.ADIfRelevant, ADData: []byte("?")}}, forge.Relevant(alices)...)},
	} {
		all = append(all, of("PAC: "+p.name, raw, func() *forge.Client {
			c := k.alice(forge.DCEStyle)
			c.Ticket = c.Ticket.Edited(k.dc, func(part *messages.EncTicketPart) { part.AuthorizationData = p.data })
			return c
		}))
	}
	return all
}
