package directory

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/jcmturner/gofork/encoding/asn1"
	"github.com/oiweiwei/gokrb5.fork/v9/asn1tools"
	"github.com/oiweiwei/gokrb5.fork/v9/crypto"
	"github.com/oiweiwei/gokrb5.fork/v9/gssapi"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/asnAppTag"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/keyusage"
	"github.com/oiweiwei/gokrb5.fork/v9/messages"
	"github.com/oiweiwei/gokrb5.fork/v9/types"
)

// acceptor is the server's end of a bind with SASL GSSAPI, and the KDC that gave
// the client its ticket. Tests change what a hostile or unusual one does
// otherwise.
type acceptor struct {
	t                        testing.TB
	service, session, subkey types.EncryptionKey // without a subkey: KeyType 0
	offer                    []byte              // the layers
	reply                    func(*messages.EncAPRepPart)
	answers                  func(step int, answer []byte, code int) ([]byte, int) // changes an answer

	step   int
	number uint64 // of the client's first token
	chosen []byte // the client's answer to the offer
}

// secretKey returns a key of an encryption type, distinguished by its first byte.
func secretKey(etype int32, first byte) types.EncryptionKey {
	size := map[int32]int{17: 16, 18: 32, 19: 16, 20: 32}[etype]
	k := types.EncryptionKey{KeyType: etype, KeyValue: make([]byte, size)}
	for i := range k.KeyValue {
		k.KeyValue[i] = first + 7*byte(i)
	}
	return k
}

func newAcceptor(t testing.TB, etype int32) *acceptor {
	return &acceptor{
		t: t, service: secretKey(etype, 1), session: secretKey(etype, 0x32), subkey: secretKey(etype, 0x95),
		offer: []byte{7, 0xff, 0xff, 0xff},
	}
}

// client returns an initiator with a ticket for a.
func (a *acceptor) client() *initiator {
	return &initiator{realm: "LAB.EXAMPLE", name: types.NewPrincipalName(1, "svc"), ticket: a.ticket}
}

// ticket is what a KDC would give.
func (a *acceptor) ticket(spn string) (messages.Ticket, types.EncryptionKey, error) {
	now := time.Now().UTC().Truncate(time.Second)
	plain, err := asn1.Marshal(messages.EncTicketPart{
		Flags: types.NewKrbFlags(), Key: a.session, CRealm: "LAB.EXAMPLE", CName: types.NewPrincipalName(1, "svc"),
		AuthTime: now, EndTime: now.Add(time.Hour),
	})
	if err != nil {
		a.t.Fatal(err)
	}
	return messages.Ticket{
		TktVNO: 5, Realm: "LAB.EXAMPLE", SName: types.NewPrincipalName(2, spn),
		EncPart: a.encrypt(asn1tools.AddASNAppTag(plain, asnAppTag.EncTicketPart), a.service, keyusage.KDC_REP_TICKET),
	}, types.EncryptionKey{KeyType: a.session.KeyType, KeyValue: bytes.Clone(a.session.KeyValue)}, nil
}

func (a *acceptor) encrypt(plain []byte, key types.EncryptionKey, usage uint32) types.EncryptedData {
	a.t.Helper()
	ed, err := crypto.GetEncryptedData(plain, key, usage, 1)
	if err != nil {
		a.t.Fatal(err)
	}
	return ed
}

// sasl answers the next step of the bind.
func (a *acceptor) sasl(token []byte) (answer []byte, code int) {
	a.step++
	code = ldap.LDAPResultSaslBindInProgress
	switch a.step {
	case 1:
		answer = a.accept(token)
	case 2:
		if len(token) != 0 {
			a.t.Errorf("the client answers the AP-REP with %x", token)
		}
		answer = a.wrap(a.offer)
	default:
		a.chosen, code = a.unwrap(token), ldap.LDAPResultSuccess
	}
	if a.answers != nil {
		return a.answers(a.step, answer, code)
	}
	return answer, code
}

// accept opens the AP-REQ and returns the AP-REP.
func (a *acceptor) accept(token []byte) []byte {
	a.t.Helper()
	id, message, err := unframe(token)
	if err != nil || id != tokenAPReq {
		a.t.Fatalf("no AP-REQ: %x, %v", id, err)
	}
	var req messages.APReq
	if err := req.Unmarshal(message); err != nil {
		a.t.Fatal(err)
	}
	if err := req.Ticket.Decrypt(a.service); err != nil {
		a.t.Fatal(err)
	}
	if err := req.DecryptAuthenticator(a.session); err != nil {
		a.t.Fatal(err)
	}
	auth := &req.Authenticator
	if req.APOptions.At(2) == 0 {
		a.t.Error("the AP-REQ does not ask for mutual authentication")
	}
	if auth.CRealm != "LAB.EXAMPLE" || auth.CName.PrincipalNameString() != "svc" || req.Ticket.SName.PrincipalNameString() != "ldap/127.0.0.1" {
		a.t.Errorf("%v in %s asks for %v", auth.CName, auth.CRealm, req.Ticket.SName)
	}
	if sum := auth.Cksum; sum.CksumType != 0x8003 || len(sum.Checksum) != 24 || binary.LittleEndian.Uint32(sum.Checksum[20:]) != 0x32 {
		a.t.Errorf("checksum %x of type %#x", sum.Checksum, sum.CksumType)
	}
	a.number = uint64(auth.SeqNumber)
	part := messages.EncAPRepPart{CTime: auth.CTime, Cusec: auth.Cusec, SequenceNumber: 7, Subkey: a.subkey}
	if a.reply != nil {
		a.reply(&part)
	}
	return a.answerOf(part)
}

// answerOf is the AP-REP with that content.
func (a *acceptor) answerOf(part messages.EncAPRepPart) []byte {
	a.t.Helper()
	plain, err := part.Marshal()
	if err != nil {
		a.t.Fatal(err)
	}
	return a.answerWith(a.encrypt(plain, a.session, keyusage.AP_REP_ENCPART))
}

// answerWith is the AP-REP with that ciphertext.
func (a *acceptor) answerWith(ed types.EncryptedData) []byte {
	a.t.Helper()
	rep := messages.APRep{PVNO: 5, MsgType: 15, EncPart: ed}
	b, err := rep.Marshal()
	if err != nil {
		a.t.Fatal(err)
	}
	return frame(tokenAPRep, b)
}

// key is what tokens are signed with.
func (a *acceptor) key() (key types.EncryptionKey, flags byte) {
	if a.subkey.KeyType != 0 {
		return a.subkey, 4
	}
	return a.session, 0
}

// wrap signs a message of the server.
func (a *acceptor) wrap(message []byte) []byte {
	a.t.Helper()
	key, flags := a.key()
	e, err := crypto.GetEtype(key.KeyType)
	if err != nil {
		a.t.Fatal(err)
	}
	w := gssapi.WrapToken{Flags: 1 | flags, EC: uint16(e.GetHMACBitLength() / 8), SndSeqNum: 7, Payload: message}
	if err := w.SetCheckSum(key, keyusage.GSSAPI_ACCEPTOR_SEAL); err != nil {
		a.t.Fatal(err)
	}
	b, err := w.Marshal()
	if err != nil {
		a.t.Fatal(err)
	}
	return b
}

// unwrap verifies a token of the client.
func (a *acceptor) unwrap(token []byte) []byte {
	a.t.Helper()
	key, flags := a.key()
	var w gssapi.WrapToken
	if err := w.Unmarshal(token, false); err != nil {
		a.t.Error(err)
		return nil
	}
	if ok, err := w.Verify(key, keyusage.GSSAPI_INITIATOR_SEAL); !ok || w.Flags != flags || w.SndSeqNum != a.number {
		a.t.Errorf("%v, flags %#x, number %d, want %#x, %d", err, w.Flags, w.SndSeqNum, flags, a.number)
	}
	return w.Payload
}
