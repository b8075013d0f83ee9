package kerberos

import (
	"testing"

	"github.com/jcmturner/gofork/encoding/asn1"
	"github.com/oiweiwei/gokrb5.fork/v9/config"
	"github.com/oiweiwei/gokrb5.fork/v9/crypto"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/keyusage"
	"github.com/oiweiwei/gokrb5.fork/v9/messages"
	"github.com/oiweiwei/gokrb5.fork/v9/types"

	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/krb5"
)

// must is for what the test itself makes.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// rc4Client has a key that costs nothing to make.
func rc4Client() *Client {
	return &Client{Config: config.New(), Realm: "LAB.TEST", Name: "alice", Password: "secret"}
}

// FuzzReplies: whatever a KDC says, before and after it is known to be one, there
// is a ticket with a usable session key or an error.
func FuzzReplies(f *testing.F) {
	c := rc4Client()
	key, _, err := c.key(23, nil)
	if err != nil {
		f.Fatal(err)
	}
	part := messages.EncKDCRepPart{Key: libraryKey(key), LastReqs: []messages.LastReq{}, Flags: types.NewKrbFlags(), SRealm: c.Realm, SName: c.principal()}
	plain := must(part.Marshal())
	info := must(asn1.Marshal(types.ETypeInfo2{{EType: 18, Salt: "salt", S2KParams: []byte{0, 0, 0x10, 0}}}))
	rep := messages.ASRep{KDCRepFields: messages.KDCRepFields{
		PVNO: 5, MsgType: 11, CRealm: c.Realm, CName: c.principal(), PAData: types.PADataSequence{{PADataType: 19, PADataValue: info}},
		Ticket:  messages.Ticket{TktVNO: 5, Realm: c.Realm, SName: c.principal()},
		EncPart: must(crypto.GetEncryptedData(plain, libraryKey(key), keyusage.AS_REP_ENCPART, 0)),
	}}
	refused := messages.NewKRBError(c.principal(), c.Realm, 25, "")
	refused.EData = must(asn1.Marshal(rep.PAData))
	f.Add(must(rep.Marshal()), plain)
	f.Add(must(refused.Marshal()), plain[:20])
	f.Fuzz(func(t *testing.T, reply, inside []byte) {
		req := messages.ASReq{}
		req.ReqBody.CName, req.ReqBody.SName, req.ReqBody.EType = c.principal(), rep.Ticket.SName, krb5.Types()
		for _, said := range [][]byte{reply, sealed(rep, inside, key)} {
			if len(said) == 0 {
				continue // never comes so far
			}
			b, err := answer(said)
			if refused, ok := err.(*krb5.KRBError); ok {
				_ = c.proveTo(refused, &req) // an error, or a proof that cannot be made without the key
			}
			if err != nil {
				continue
			}
			ticket, err := c.openAS(b, &req)
			if err != nil {
				continue
			}
			if ticket.Check() != nil {
				t.Errorf("a ticket with a session key that is none: %v", ticket)
			}
			if _, err := c.newTGS(c.Realm, ticket, c.principal()); err != nil {
				t.Errorf("a ticket that cannot be shown: %v: %v", ticket, err)
			}
		}
	})
}

// sealed is a reply of a KDC that has the account's key.
func sealed(rep messages.ASRep, inside []byte, key krb5.Key) []byte {
	rep.EncPart = must(crypto.GetEncryptedData(inside, libraryKey(key), keyusage.AS_REP_ENCPART, 0))
	return must(rep.Marshal())
}
