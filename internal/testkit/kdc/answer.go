package kdc

import (
	"crypto/rand"
	"encoding/binary"
	"time"

	"github.com/jcmturner/gofork/encoding/asn1"
	"github.com/oiweiwei/gokrb5.fork/v9/asn1tools"
	"github.com/oiweiwei/gokrb5.fork/v9/crypto"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/asnAppTag"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/errorcode"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/keyusage"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/msgtype"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/patype"
	"github.com/oiweiwei/gokrb5.fork/v9/messages"
	"github.com/oiweiwei/gokrb5.fork/v9/types"
)

// answer answers a request by a ticket or a KRB-ERROR.
func (k *KDC) answer(request []byte) ([]byte, error) {
	var as messages.ASReq
	if as.Unmarshal(request) == nil {
		return k.login(&as)
	}
	var tgs messages.TGSReq
	if err := tgs.Unmarshal(request); err != nil {
		return nil, err
	}
	return k.service(&tgs)
}

func (k *KDC) refuse(code int32, data []byte) ([]byte, error) {
	e := messages.NewKRBError(types.NewPrincipalName(2, "krbtgt/"+k.config.Realm), k.config.Realm, code, "")
	e.EData = data
	return e.Marshal()
}

// info says how the user's key is made.
func (k *KDC) info() (types.PADataSequence, error) {
	entry := types.ETypeInfo2Entry{EType: k.config.Etype, Salt: k.config.Salt}
	if k.config.Iterations != 0 {
		entry.S2KParams = binary.BigEndian.AppendUint32(nil, k.config.Iterations)
	}
	b, err := asn1.Marshal(types.ETypeInfo2{entry})
	return types.PADataSequence{{PADataType: patype.PA_ETYPE_INFO2, PADataValue: b}}, err
}

// login answers an AS-REQ.
func (k *KDC) login(req *messages.ASReq) ([]byte, error) {
	info, err := k.info()
	if err != nil {
		return nil, err
	}
	user := types.NewPrincipalName(1, k.config.User)
	if !req.ReqBody.CName.Equal(user) || req.ReqBody.Realm != k.config.Realm {
		return k.refuse(errorcode.KDC_ERR_C_PRINCIPAL_UNKNOWN, nil)
	}
	key, _, err := crypto.GetKeyFromPassword(k.config.Password, user, k.config.Realm, k.config.Etype, info)
	if err != nil {
		return nil, err
	}
	proof := -1
	for i, pa := range req.PAData {
		if pa.PADataType == patype.PA_ENC_TIMESTAMP {
			proof = i
		}
	}
	if proof < 0 {
		data, err := asn1.Marshal(info)
		if err != nil {
			return nil, err
		}
		return k.refuse(errorcode.KDC_ERR_PREAUTH_REQUIRED, data)
	}
	var sealed types.EncryptedData
	if err := sealed.Unmarshal(req.PAData[proof].PADataValue); err != nil {
		return nil, err
	}
	if _, err := crypto.DecryptEncPart(sealed, key, keyusage.AS_REQ_PA_ENC_TIMESTAMP); err != nil {
		return k.refuse(errorcode.KDC_ERR_PREAUTH_FAILED, nil)
	}
	rep := messages.ASRep{}
	rep.MsgType, rep.PAData = msgtype.KRB_AS_REP, info
	if err := k.grant(&rep.KDCRepFields, &req.KDCReqFields, user, k.config.Realm, key, keyusage.AS_REP_ENCPART); err != nil {
		return nil, err
	}
	return rep.Marshal()
}

// service answers a TGS-REQ.
func (k *KDC) service(req *messages.TGSReq) ([]byte, error) {
	var shown messages.APReq
	if len(req.PAData) == 0 {
		return k.refuse(errorcode.KDC_ERR_PADATA_TYPE_NOSUPP, nil)
	}
	if err := shown.Unmarshal(req.PAData[0].PADataValue); err != nil {
		return nil, err
	}
	part, ok, err := k.check(&shown, req)
	if err != nil || !ok {
		return k.refuse(errorcode.KRB_AP_ERR_BAD_INTEGRITY, nil)
	}
	if realm, ok := k.config.Referrals[req.ReqBody.SName.PrincipalNameString()]; ok {
		req.ReqBody.SName = types.NewPrincipalName(2, "krbtgt/"+realm)
	}
	if _, _, err := k.keys.GetEncryptionKey(req.ReqBody.SName, k.config.Realm, kvno, k.config.Etype); err != nil {
		return k.refuse(errorcode.KDC_ERR_S_PRINCIPAL_UNKNOWN, nil)
	}
	rep := messages.TGSRep{}
	rep.MsgType = msgtype.KRB_TGS_REP
	if err := k.grant(&rep.KDCRepFields, &req.KDCReqFields, part.CName, part.CRealm, part.Key, keyusage.TGS_REP_ENCPART_SESSION_KEY); err != nil {
		return nil, err
	}
	return rep.Marshal()
}

// check opens a ticket-granting ticket and what proves that it is the client's.
func (k *KDC) check(shown *messages.APReq, req *messages.TGSReq) (part messages.EncTicketPart, ok bool, err error) {
	key, _, err := k.keys.GetEncryptionKey(shown.Ticket.SName, shown.Ticket.Realm, kvno, k.config.Etype)
	if err != nil {
		return part, false, err
	}
	plain, err := crypto.DecryptEncPart(shown.Ticket.EncPart, key, keyusage.KDC_REP_TICKET)
	if err != nil {
		return part, false, err
	}
	if err := part.Unmarshal(plain); err != nil {
		return part, false, err
	}
	if plain, err = crypto.DecryptEncPart(shown.EncryptedAuthenticator, part.Key, keyusage.TGS_REQ_PA_TGS_REQ_AP_REQ_AUTHENTICATOR); err != nil {
		return part, false, err
	}
	var auth types.Authenticator
	if err := auth.Unmarshal(plain); err != nil {
		return part, false, err
	}
	body, err := req.ReqBody.Marshal()
	if err != nil {
		return part, false, err
	}
	e, err := crypto.GetChksumEtype(auth.Cksum.CksumType)
	if err != nil {
		return part, false, err
	}
	ok = e.VerifyChecksum(part.Key.KeyValue, body, auth.Cksum.Checksum, keyusage.TGS_REQ_PA_TGS_REQ_AP_REQ_AUTHENTICATOR_CHKSUM)
	return part, ok && auth.CName.Equal(part.CName) && auth.CRealm == part.CRealm, nil
}

// grant puts a ticket into a reply.
func (k *KDC) grant(rep *messages.KDCRepFields, req *messages.KDCReqFields, client types.PrincipalName, realm string, key types.EncryptionKey, usage uint32) error {
	now := time.Now().UTC().Truncate(time.Second)
	end := now.Add(time.Hour)
	session := types.EncryptionKey{KeyType: k.config.Etype, KeyValue: make([]byte, keySizes[k.config.Etype])}
	_, _ = rand.Read(session.KeyValue) // never fails
	ticket, err := k.ticket(messages.EncTicketPart{
		Flags: types.NewKrbFlags(), Key: session, CRealm: realm, CName: client, AuthTime: now, StartTime: now, EndTime: end,
	}, req.ReqBody.SName)
	if err != nil {
		return err
	}
	part := messages.EncKDCRepPart{
		Key: session, LastReqs: []messages.LastReq{}, Nonce: req.ReqBody.Nonce, Flags: types.NewKrbFlags(),
		AuthTime: now, StartTime: now, EndTime: end, SRealm: k.config.Realm, SName: req.ReqBody.SName,
	}
	plain, err := part.Marshal()
	if err != nil {
		return err
	}
	rep.PVNO, rep.CRealm, rep.CName, rep.Ticket = 5, realm, client, ticket
	rep.EncPart, err = crypto.GetEncryptedData(plain, key, usage, 0)
	return err
}

// keySizes are those of session keys, in bytes. The library makes some of 24
// bytes for type 20.
var keySizes = map[int32]int{17: 16, 18: 32, 19: 16, 20: 32, 23: 16}

// ticket encrypts a ticket for a service.
func (k *KDC) ticket(part messages.EncTicketPart, service types.PrincipalName) (messages.Ticket, error) {
	key, _, err := k.keys.GetEncryptionKey(service, k.config.Realm, kvno, k.config.Etype)
	if err != nil {
		return messages.Ticket{}, err
	}
	plain, err := asn1.Marshal(part)
	if err != nil {
		return messages.Ticket{}, err
	}
	sealed, err := crypto.GetEncryptedData(asn1tools.AddASNAppTag(plain, asnAppTag.EncTicketPart), key, keyusage.KDC_REP_TICKET, kvno)
	return messages.Ticket{TktVNO: 5, Realm: k.config.Realm, SName: service, EncPart: sealed}, err
}
