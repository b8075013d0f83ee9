package kerberos

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/oiweiwei/gokrb5.fork/v9/crypto"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/errorcode"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/keyusage"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/patype"
	"github.com/oiweiwei/gokrb5.fork/v9/messages"
	"github.com/oiweiwei/gokrb5.fork/v9/types"

	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/krb5"
)

// login returns a ticket-granting ticket (RFC 4120 3.1). The first request
// learns from the KDC's error which key of the account proves who asks.
func (c *Client) login(ctx context.Context) (*krb5.Ticket, error) {
	req, err := messages.NewASReqForTGT(c.Realm, c.Config, c.principal())
	if err != nil {
		return nil, err
	}
	if req.ReqBody.EType = c.ticketTypes(); len(req.ReqBody.EType) == 0 {
		return nil, errors.New("krb5.conf allows no encryption type that can be used")
	}
	reply, err := c.askAS(ctx, &req)
	var refused *krb5.KRBError
	if errors.As(err, &refused) && refused.Code == errorcode.KDC_ERR_PREAUTH_REQUIRED {
		if err := c.proveTo(refused, &req); err != nil {
			return nil, err
		}
		reply, err = c.askAS(ctx, &req)
	}
	if err != nil {
		return nil, err
	}
	return c.openAS(reply, &req)
}

func (c *Client) askAS(ctx context.Context, req *messages.ASReq) ([]byte, error) {
	b, err := req.Marshal()
	if err != nil {
		return nil, err
	}
	return c.ask(ctx, c.Realm, b)
}

// proveTo adds the time, encrypted with the account's key, to a request (RFC
// 4120 5.2.7.2). It takes the first type that both sides have.
func (c *Client) proveTo(refused *krb5.KRBError, req *messages.ASReq) error {
	var pa types.PADataSequence
	if err := krb5.Decode(refused.Data, "METHOD-DATA", pa.Unmarshal); err != nil {
		return err
	}
	said, err := saltings(pa)
	if err != nil {
		return err
	}
	etype := req.ReqBody.EType[0]
	if i := slices.IndexFunc(said, func(s salting) bool { return slices.Contains(req.ReqBody.EType, s.etype) }); i >= 0 {
		etype = said[i].etype
	}
	key, kvno, err := c.key(etype, said)
	if err != nil {
		return err
	}
	stamp, err := types.GetPAEncTSEncAsnMarshalled()
	if err != nil {
		return err
	}
	sealed, err := crypto.GetEncryptedData(stamp, libraryKey(key), keyusage.AS_REQ_PA_ENC_TIMESTAMP, kvno)
	if err != nil {
		return err
	}
	value, err := sealed.Marshal()
	if err != nil {
		return err
	}
	req.PAData = append(req.PAData, types.PAData{PADataType: patype.PA_ENC_TIMESTAMP, PADataValue: value})
	return nil
}

// openAS opens the reply with the account's key, and checks that it is one to
// req (RFC 4120 3.1.5).
func (c *Client) openAS(reply []byte, req *messages.ASReq) (*krb5.Ticket, error) {
	var rep messages.ASRep
	if err := krb5.Decode(reply, "AS-REP", rep.Unmarshal); err != nil {
		return nil, err
	}
	said, err := saltings(rep.PAData)
	if err != nil {
		return nil, err
	}
	key, _, err := c.key(rep.EncPart.EType, said)
	if err != nil {
		return nil, err
	}
	if rep.CRealm != c.Realm || !rep.CName.Equal(req.ReqBody.CName) {
		return nil, fmt.Errorf("the KDC answers for another account")
	}
	tgt, err := open(&rep.KDCRepFields, &req.KDCReqFields, key, keyusage.AS_REP_ENCPART)
	if err == nil && !tgt.Ticket.SName.Equal(req.ReqBody.SName) {
		err = errors.New("the KDC gives a ticket for another service") // nothing protects the request
	}
	return tgt, err
}

func libraryKey(k krb5.Key) types.EncryptionKey {
	return types.EncryptionKey{KeyType: k.Etype, KeyValue: k.Value}
}
