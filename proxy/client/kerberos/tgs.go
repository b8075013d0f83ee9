package kerberos

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/oiweiwei/gokrb5.fork/v9/crypto"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/flags"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/keyusage"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/msgtype"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/nametype"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/patype"
	"github.com/oiweiwei/gokrb5.fork/v9/messages"
	"github.com/oiweiwei/gokrb5.fork/v9/types"

	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/krb5"
)

// maxReferrals is how many realms may lie between the account's and the
// service's (RFC 6806 8).
const maxReferrals = 5

// version is that of the protocol (RFC 4120 5.4.1).
const version = 5

// tgtService is the first component of a ticket-granting ticket's name; the
// second is the realm in which it is good.
const tgtService = "krbtgt"

// service returns a ticket for a service, with a ticket-granting ticket (RFC
// 4120 3.3). A KDC of another realm's service answers with a ticket-granting
// ticket of that realm, or of one on the way.
func (c *Client) service(ctx context.Context, tgt *krb5.Ticket, name types.PrincipalName) (*krb5.Ticket, error) {
	realm, asked := c.Realm, name
	if r := c.realmOf(name); r != "" && r != realm {
		asked = types.PrincipalName{NameType: nametype.KRB_NT_SRV_INST, NameString: []string{tgtService, r}}
	}
	for range maxReferrals + 1 {
		ticket, err := c.askTGS(ctx, realm, tgt, asked)
		if err != nil {
			return nil, err
		}
		got := ticket.Ticket.SName.NameString
		if len(got) != 2 || got[0] != tgtService {
			return ticket, nil // for the service, by this name or another that the KDC has for it (RFC 6806 6)
		}
		realm, tgt, asked = got[1], ticket, name
	}
	return nil, fmt.Errorf("more than %d referrals to other realms", maxReferrals)
}

func (c *Client) askTGS(ctx context.Context, realm string, tgt *krb5.Ticket, name types.PrincipalName) (*krb5.Ticket, error) {
	req, err := c.newTGS(realm, tgt, name)
	if err != nil {
		return nil, err
	}
	b, err := req.Marshal()
	if err != nil {
		return nil, err
	}
	reply, err := c.ask(ctx, realm, b)
	if err != nil {
		return nil, err
	}
	var rep messages.TGSRep
	if err := krb5.Decode(reply, "TGS-REP", rep.Unmarshal); err != nil {
		return nil, err
	}
	return open(&rep.KDCRepFields, &req.KDCReqFields, tgt.Session, keyusage.TGS_REP_ENCPART_SESSION_KEY)
}

// newTGS makes a TGS-REQ. Its authenticator covers the body.
func (c *Client) newTGS(realm string, tgt *krb5.Ticket, name types.PrincipalName) (*messages.TGSReq, error) {
	nonce, err := newNonce()
	if err != nil {
		return nil, err
	}
	req := &messages.TGSReq{KDCReqFields: messages.KDCReqFields{
		PVNO: version, MsgType: msgtype.KRB_TGS_REQ,
		ReqBody: messages.KDCReqBody{
			KDCOptions: types.NewKrbFlags(), Realm: realm, SName: name, Nonce: nonce, EType: c.serviceTypes(),
			Till: time.Now().UTC().Add(c.Config.LibDefaults.TicketLifetime),
		},
	}}
	types.SetFlag(&req.ReqBody.KDCOptions, flags.Canonicalize) // without it there are no referrals
	body, err := req.ReqBody.Marshal()
	if err != nil {
		return nil, err
	}
	shown, err := show(tgt, body)
	if err != nil {
		return nil, err
	}
	req.PAData = types.PADataSequence{{PADataType: patype.PA_TGS_REQ, PADataValue: shown}}
	return req, nil
}

// show returns the AP-REQ with which a ticket-granting ticket is shown to a KDC
// (RFC 4120 5.2.7.1).
func show(tgt *krb5.Ticket, body []byte) ([]byte, error) {
	e, err := crypto.GetEtype(tgt.Session.Etype)
	if err != nil {
		return nil, err
	}
	sum, err := e.GetChecksumHash(tgt.Session.Value, body, keyusage.TGS_REQ_PA_TGS_REQ_AP_REQ_AUTHENTICATOR_CHKSUM)
	if err != nil {
		return nil, err
	}
	auth, err := types.NewAuthenticator(tgt.Realm, tgt.Client)
	if err != nil {
		return nil, err
	}
	auth.Cksum = types.Checksum{CksumType: e.GetHashID(), Checksum: sum}
	plain, err := auth.Marshal()
	if err != nil {
		return nil, err
	}
	sealed, err := crypto.GetEncryptedData(plain, libraryKey(tgt.Session), keyusage.TGS_REQ_PA_TGS_REQ_AP_REQ_AUTHENTICATOR, 0)
	if err != nil {
		return nil, err
	}
	req := messages.APReq{
		PVNO: version, MsgType: msgtype.KRB_AP_REQ, APOptions: types.NewKrbFlags(),
		Ticket: tgt.Ticket, EncryptedAuthenticator: sealed,
	}
	return req.Marshal()
}

// newNonce returns a number that a KDC repeats. It is positive: some decoders
// read it as signed.
func newNonce() (int, error) {
	var b [4]byte
	_, err := rand.Read(b[:])
	return int(binary.BigEndian.Uint32(b[:]) >> 1), err
}

// open opens what only the client can read of a reply, and checks that it is one
// to this request, and of the ticket beside it: the name on a ticket is in clear.
func open(rep *messages.KDCRepFields, req *messages.KDCReqFields, key krb5.Key, usage uint32) (*krb5.Ticket, error) {
	plain, err := krb5.Decrypt(rep.EncPart, key, usage, "reply of the KDC")
	if err != nil {
		return nil, err
	}
	var part messages.EncKDCRepPart
	if err := krb5.Decode(plain, "reply of the KDC", part.Unmarshal); err != nil {
		return nil, err
	}
	if part.Nonce != req.ReqBody.Nonce {
		return nil, errors.New("the KDC answers another request: the nonce is not repeated")
	}
	if !part.SName.Equal(rep.Ticket.SName) || part.SRealm != rep.Ticket.Realm {
		return nil, errors.New("the reply of the KDC was altered: it is of a ticket for another service")
	}
	ticket := &krb5.Ticket{
		Ticket: rep.Ticket, Client: rep.CName, Realm: rep.CRealm, End: part.EndTime,
		Session: krb5.Key{Etype: part.Key.KeyType, Value: part.Key.KeyValue},
	}
	return ticket, ticket.Check()
}
