package secctx_test

import (
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/jcmturner/gofork/encoding/asn1"
	"github.com/oiweiwei/gokrb5.fork/v9/asn1tools"
	"github.com/oiweiwei/gokrb5.fork/v9/crypto"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/asnAppTag"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/keyusage"
	"github.com/oiweiwei/gokrb5.fork/v9/keytab"
	kmessages "github.com/oiweiwei/gokrb5.fork/v9/messages"
	"github.com/oiweiwei/gokrb5.fork/v9/types"

	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/krb5"
)

// kdc plays KDC, client and server of one Kerberos handshake in DCE style. Its
// tickets have no PAC: whom a ticket names is tested in package krb5.
type kdc struct {
	etype                    int32
	kvno                     int
	service, session, subkey types.EncryptionKey // subkey: the server's
}

const (
	clientNumber, serverNumber = 0x2d3885, 0x11223344
	kdcCusec                   = 123456
	servicePrincipal           = "exchangeAB/dc1.lab.test"
	realm                      = "LAB.TEST"
)

var kdcTime = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func newKDC(etype int32) *kdc {
	size := map[int32]int{17: 16, 18: 32, 19: 16, 20: 32, 23: 16}[etype]
	secret := func(first byte) types.EncryptionKey {
		k := types.EncryptionKey{KeyType: etype, KeyValue: make([]byte, size)}
		for i := range k.KeyValue {
			k.KeyValue[i] = first + 7*byte(i)
		}
		return k
	}
	return &kdc{etype: etype, kvno: 5, service: secret(1), session: secret(0x32), subkey: secret(0x95)}
}

func name(text string) types.PrincipalName {
	return types.PrincipalName{NameType: 1, NameString: strings.Split(text, "/")}
}

func sealed(t testing.TB, plain []byte, key types.EncryptionKey, usage uint32, kvno int) types.EncryptedData {
	t.Helper()
	d, err := crypto.GetEncryptedData(plain, key, usage, kvno)
	return must(t, d, err)
}

// request is the AP-REQ.
func (k *kdc) request(t testing.TB) []byte {
	t.Helper()
	ticket, err := asn1.Marshal(kmessages.EncTicketPart{Flags: types.NewKrbFlags(), Key: k.session, CRealm: realm, CName: name("alice"),
		AuthTime: kdcTime, EndTime: kdcTime.Add(10 * time.Hour)})
	must(t, 0, err)
	sum := make([]byte, 24) // RFC 4121 4.1.1
	binary.LittleEndian.PutUint32(sum, 16)
	binary.LittleEndian.PutUint32(sum[20:], 0x103e)
	a := types.Authenticator{AVNO: 5, CRealm: realm, CName: name("alice"), Cusec: kdcCusec, CTime: kdcTime,
		Cksum: types.Checksum{CksumType: 0x8003, Checksum: sum}, SeqNumber: clientNumber}
	authenticator, err := a.Marshal()
	must(t, 0, err)
	req := kmessages.APReq{PVNO: 5, MsgType: 14, APOptions: types.NewKrbFlags(),
		EncryptedAuthenticator: sealed(t, authenticator, k.session, keyusage.AP_REQ_AUTHENTICATOR, 0),
		Ticket: kmessages.Ticket{TktVNO: 5, Realm: realm, SName: name(servicePrincipal),
			EncPart: sealed(t, asn1tools.AddASNAppTag(ticket, asnAppTag.EncTicketPart), k.service, keyusage.KDC_REP_TICKET, k.kvno)}}
	b, err := req.Marshal()
	return must(t, b, err)
}

// answer is the server's AP-REP, third the client's.
func (k *kdc) answer(t testing.TB) []byte { return k.reply(t, k.subkey) }
func (k *kdc) third(t testing.TB) []byte  { return k.reply(t, types.EncryptionKey{}) }

func (k *kdc) reply(t testing.TB, subkey types.EncryptionKey) []byte {
	t.Helper()
	part := kmessages.EncAPRepPart{CTime: kdcTime, Cusec: kdcCusec, SequenceNumber: serverNumber, Subkey: subkey}
	plain, err := part.Marshal()
	must(t, 0, err)
	rep := kmessages.APRep{PVNO: 5, MsgType: 15, EncPart: sealed(t, plain, k.session, keyusage.AP_REP_ENCPART, 0)}
	b, err := rep.Marshal()
	return must(t, b, err)
}

// keytab has the key of the service, under this version.
func (k *kdc) keytab(t testing.TB, key types.EncryptionKey, kvno int) *krb5.Keytab {
	t.Helper()
	p := name(servicePrincipal)
	e := keytab.NewEntry()
	e.Principal = keytab.Principal{NumComponents: int16(len(p.NameString)), Realm: realm, Components: p.NameString, NameType: 1}
	e.KVNO8, e.KVNO, e.Key, e.Timestamp = uint8(kvno), uint32(kvno), key, kdcTime
	file := keytab.New()
	file.Entries = []keytab.Entry{e}
	b, err := file.Marshal()
	must(t, 0, err)
	kt, err := krb5.ParseKeytab(b)
	return must(t, kt, err)
}

// keys open the kdc's tickets.
func (k *kdc) keys(t testing.TB) *keys {
	return &keys{service: k.keytab(t, k.service, k.kvno).Service("")}
}

// follow shows a whole handshake to h.
func (k *kdc) follow(t testing.TB, h *secctx.Handshake) *secctx.Handshake {
	t.Helper()
	h.FromClient(k.request(t))
	h.FromServer(k.answer(t))
	h.FromClient(k.third(t))
	return h
}

// stream is what one end has of a direction.
func (k *kdc) stream(t testing.TB, from krb5.Role) *krb5.Stream {
	t.Helper()
	number := uint64(clientNumber)
	if from == krb5.Acceptor {
		number = serverNumber
	}
	s, err := krb5.NewStream(krb5.Key{Etype: k.etype, Value: k.subkey.KeyValue}, from, true, number)
	return must(t, s, err)
}

// krb5Peers have finished a handshake.
func krb5Peers(t testing.TB, etype int32) *peers {
	t.Helper()
	k := newKDC(etype)
	h := k.follow(t, secctx.NewHandshake(k.keys(t)))
	if h.Context() == nil {
		t.Fatalf("type %d: %v", etype, h.Outcome())
	}
	return &peers{
		name: map[int32]string{17: "AES128", 18: "AES256", 19: "AES128 SHA-2", 20: "AES256 SHA-2", 23: "RC4"}[etype], context: h.Context(),
		client: end{k.stream(t, krb5.Initiator), k.stream(t, krb5.Acceptor)},
		server: end{k.stream(t, krb5.Acceptor), k.stream(t, krb5.Initiator)},
	}
}
