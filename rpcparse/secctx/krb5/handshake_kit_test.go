package krb5

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jcmturner/gofork/encoding/asn1"
	"github.com/oiweiwei/gokrb5.fork/v9/asn1tools"
	"github.com/oiweiwei/gokrb5.fork/v9/crypto"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/adtype"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/asnAppTag"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/keyusage"
	"github.com/oiweiwei/gokrb5.fork/v9/keytab"
	"github.com/oiweiwei/gokrb5.fork/v9/messages"
	"github.com/oiweiwei/gokrb5.fork/v9/types"
)

// secret returns a key whose bytes occur nowhere else in a test.
func secret(etype int32, first byte) Key {
	k := Key{Etype: etype, Value: make([]byte, encryptionTypeOf(etype).keySize)}
	for i := range k.Value {
		k.Value[i] = first + 7*byte(i)
	}
	return k
}

// must fails the test on an error of a helper.
func must[T any](t testing.TB, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func libraryKey(k Key) types.EncryptionKey {
	return types.EncryptionKey{KeyType: k.Etype, KeyValue: k.Value}
}

// kdc plays KDC, client and server of one handshake. Tests change what a
// hostile or unusual one does differently.
type kdc struct {
	service, session Key
	client, server   *Key // subkeys
	realm            string
	sname, cname     []string
	kvno             int
	options          byte // first octet of ap-options
	ticket           func(*messages.EncTicketPart)
	authenticator    func(*types.Authenticator)
	reply            func(*messages.EncAPRepPart)
	data             types.AuthorizationData
}

var kitTime = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// Numbers and flags of the kit's client and server.
const (
	kitInitiator = 0x2d3885
	kitAcceptor  = 0x11223344
	kitFlags     = 0x103e
	kitCusec     = 123456
)

// newKDC is a handshake of an Active Directory of this encryption type.
func newKDC(t testing.TB, etype int32) *kdc {
	client, server := secret(etype, 0x63), secret(etype, 0x95)
	k := &kdc{
		service: secret(etype, 0x01), session: secret(etype, 0x32), client: &client, server: &server,
		realm: "LAB.TEST", sname: []string{"exchangeAB", "dc1.lab.test"}, cname: []string{"alice"}, kvno: 5,
	}
	k.data = ifRelevant(t, pacElement(newPAC().sign(t, k.service)))
	return k
}

// ifRelevant wraps elements in one AD-IF-RELEVANT container.
func ifRelevant(t testing.TB, elements ...types.AuthorizationDataEntry) types.AuthorizationData {
	b, err := asn1.Marshal(types.AuthorizationData(elements))
	return types.AuthorizationData{{ADType: adtype.ADIfRelevant, ADData: must(t, b, err)}}
}

func pacElement(b []byte) types.AuthorizationDataEntry {
	return types.AuthorizationDataEntry{ADType: adtype.ADWin2KPAC, ADData: b}
}

func principalName(name []string) types.PrincipalName {
	return types.PrincipalName{NameType: 1, NameString: name}
}

// ticketPart is the plain text of the ticket.
func (k *kdc) ticketPart(t testing.TB) []byte {
	part := messages.EncTicketPart{
		Flags: types.NewKrbFlags(), Key: libraryKey(k.session), CRealm: k.realm, CName: principalName(k.cname),
		AuthTime: kitTime, EndTime: kitTime.Add(10 * time.Hour), AuthorizationData: k.data,
	}
	if k.ticket != nil {
		k.ticket(&part)
	}
	b, err := asn1.Marshal(part)
	return asn1tools.AddASNAppTag(must(t, b, err), asnAppTag.EncTicketPart)
}

// authenticatorPart is the plain text of the authenticator.
func (k *kdc) authenticatorPart(t testing.TB) []byte {
	sum := make([]byte, gssChecksumSize)
	binary.LittleEndian.PutUint32(sum, gssBindingsLength)
	binary.LittleEndian.PutUint32(sum[gssFlagsOffset:], kitFlags)
	a := types.Authenticator{
		AVNO: 5, CRealm: k.realm, CName: principalName(k.cname), Cusec: kitCusec, CTime: kitTime,
		Cksum: types.Checksum{CksumType: gssChecksum, Checksum: sum}, SeqNumber: kitInitiator,
	}
	if k.client != nil {
		a.SubKey = libraryKey(*k.client)
	}
	if k.authenticator != nil {
		k.authenticator(&a)
	}
	b, err := a.Marshal()
	return must(t, b, err)
}

// request is the AP-REQ.
func (k *kdc) request(t testing.TB) []byte {
	return k.requestOf(t, k.ticketPart(t), k.authenticatorPart(t))
}

// requestOf is the AP-REQ with these plain texts.
func (k *kdc) requestOf(t testing.TB, ticket, authenticator []byte) []byte {
	t.Helper()
	encTicket, err := crypto.GetEncryptedData(ticket, libraryKey(k.service), keyusage.KDC_REP_TICKET, k.kvno)
	must(t, 0, err)
	encAuth, err := crypto.GetEncryptedData(authenticator, libraryKey(k.session), keyusage.AP_REQ_AUTHENTICATOR, 0)
	must(t, 0, err)
	return k.requestWith(t, encTicket, encAuth)
}

// requestWith is the AP-REQ with these ciphertexts.
func (k *kdc) requestWith(t testing.TB, ticket, authenticator types.EncryptedData) []byte {
	t.Helper()
	options := types.NewKrbFlags()
	options.Bytes[0] = k.options
	req := messages.APReq{
		PVNO: 5, MsgType: 14, APOptions: options, EncryptedAuthenticator: authenticator,
		Ticket: messages.Ticket{TktVNO: 5, Realm: k.realm, SName: principalName(k.sname), EncPart: ticket},
	}
	b, err := req.Marshal()
	return must(t, b, err)
}

// answer is the server's AP-REP, and third the client's that ends the
// handshake.
func (k *kdc) answer(t testing.TB) []byte {
	return k.answerOf(t, k.answerPart())
}

func (k *kdc) answerPart() messages.EncAPRepPart {
	part := messages.EncAPRepPart{CTime: kitTime, Cusec: kitCusec, SequenceNumber: kitAcceptor}
	if k.server != nil {
		part.Subkey = libraryKey(*k.server)
	}
	if k.reply != nil {
		k.reply(&part)
	}
	return part
}

func (k *kdc) third(t testing.TB) []byte {
	return k.answerOf(t, messages.EncAPRepPart{CTime: kitTime, Cusec: kitCusec, SequenceNumber: kitAcceptor})
}

func (k *kdc) answerOf(t testing.TB, part messages.EncAPRepPart) []byte {
	t.Helper()
	b, err := part.Marshal()
	return k.answerWith(t, must(t, b, err))
}

// answerWith is the AP-REP with this plain text.
func (k *kdc) answerWith(t testing.TB, plain []byte) []byte {
	t.Helper()
	part, err := crypto.GetEncryptedData(plain, libraryKey(k.session), keyusage.AP_REP_ENCPART, 0)
	must(t, 0, err)
	rep := messages.APRep{PVNO: 5, MsgType: 15, EncPart: part}
	b, err := rep.Marshal()
	return must(t, b, err)
}

// entry is one key of a keytab file.
func entry(principal string, kvno uint32, key Key) keytab.Entry {
	name, realm, _ := strings.Cut(principal, "@")
	components := strings.Split(name, "/")
	e := keytab.NewEntry()
	e.Principal = keytab.Principal{NumComponents: int16(len(components)), Realm: realm, Components: components, NameType: 1}
	e.KVNO8, e.KVNO = uint8(kvno), kvno
	e.Key = libraryKey(key)
	e.Timestamp = kitTime
	return e
}

// keytabFile is a keytab as MIT's and Samba's tools write it.
func keytabFile(t testing.TB, entries ...keytab.Entry) []byte {
	file := keytab.New()
	file.Entries = entries
	b, err := file.Marshal()
	return must(t, b, err)
}

func keysOf(t testing.TB, entries ...keytab.Entry) *Keytab {
	t.Helper()
	kt, err := ParseKeytab(keytabFile(t, entries...))
	return must(t, kt, err)
}

// keys is a keytab with the key of the kit's service.
func (k *kdc) keys(t testing.TB) *Keytab {
	t.Helper()
	return keysOf(t, entry(strings.Join(k.sname, "/")+"@"+k.realm, uint32(k.kvno), k.service))
}

// mechanisms are the object identifiers of Kerberos, with tag and length: the
// standard's, and the one that Windows 2000 made of it by mistake.
var mechanisms = [][]byte{
	{0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02},
	{0x06, 0x09, 0x2a, 0x86, 0x48, 0x82, 0xf7, 0x12, 0x01, 0x02, 0x02},
}

// framed puts a message into a GSS frame of the mechanism.
func framed(mechanism []byte, id []byte, message []byte) []byte {
	body := slices.Concat(mechanism, id, message)
	return slices.Concat([]byte{frameTag, 0x82, byte(len(body) >> 8), byte(len(body))}, body)
}
