package forge

import (
	"encoding/binary"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/jcmturner/gofork/encoding/asn1"
	"github.com/oiweiwei/gokrb5.fork/v9/asn1tools"
	"github.com/oiweiwei/gokrb5.fork/v9/crypto"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/adtype"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/asnAppTag"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/keyusage"
	"github.com/oiweiwei/gokrb5.fork/v9/messages"
	"github.com/oiweiwei/gokrb5.fork/v9/types"
)

// Names of the tickets that are made here.
const (
	Realm  = "LAB.TEST"
	Domain = "LAB"
)

// Ticket is a ticket for a service, with what its client knows of it.
type Ticket struct {
	messages.Ticket
	Session types.EncryptionKey
	Client  types.PrincipalName
	Realm   string // of the client
}

// must ends the test's process on an error.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// NewKey returns a key of AES256 whose bytes are seed and what follows it.
func NewKey(seed byte) types.EncryptionKey {
	k := types.EncryptionKey{KeyType: 18, KeyValue: make([]byte, 32)}
	for i := range k.KeyValue {
		k.KeyValue[i] = seed + 7*byte(i)
	}
	return k
}

func name(parts ...string) types.PrincipalName {
	return types.PrincipalName{NameType: 1, NameString: parts}
}

// NewTicket makes a ticket for exchangeAB/dc1.lab.test, which is encrypted with the service's key, and whose PAC, signed
// with the same, names a user. An empty SID makes one without a PAC.
func NewTicket(service types.EncryptionKey, user, sid string) *Ticket {
	now := time.Now().UTC().Truncate(time.Second)
	t := &Ticket{Session: NewKey(user[0]), Client: name(user), Realm: Realm}
	part := messages.EncTicketPart{
		Flags: types.NewKrbFlags(), Key: t.Session, CRealm: Realm, CName: t.Client,
		AuthTime: now, EndTime: now.Add(10 * time.Hour),
	}
	if sid != "" {
		part.AuthorizationData = Relevant(PAC(service, user, sid))
	}
	t.Ticket = messages.Ticket{TktVNO: 5, Realm: Realm, SName: name("exchangeAB", "dc1.lab.test")}
	t.seal(part, service)
	return t
}

func (t *Ticket) seal(part messages.EncTicketPart, service types.EncryptionKey) {
	plain := asn1tools.AddASNAppTag(must(asn1.Marshal(part)), asnAppTag.EncTicketPart)
	t.EncPart = must(crypto.GetEncryptedData(plain, service, keyusage.KDC_REP_TICKET, 5))
}

// Edited returns the ticket of a KDC with another content, which needs the service's key.
func (t *Ticket) Edited(service types.EncryptionKey, edit func(*messages.EncTicketPart)) *Ticket {
	plain := must(crypto.DecryptEncPart(t.EncPart, service, keyusage.KDC_REP_TICKET))
	var part messages.EncTicketPart
	must(0, part.Unmarshal(plain))
	edit(&part)
	c := *t
	kvno := t.EncPart.KVNO
	c.seal(part, service)
	c.EncPart.KVNO = kvno
	return &c
}

// Relevant puts PACs into one AD-IF-RELEVANT container (RFC 4120 5.2.6.1).
func Relevant(pacs ...[]byte) types.AuthorizationData {
	var inner types.AuthorizationData
	for _, pac := range pacs {
		inner = append(inner, types.AuthorizationDataEntry{ADType: adtype.ADWin2KPAC, ADData: pac})
	}
	return types.AuthorizationData{{ADType: adtype.ADIfRelevant, ADData: must(asn1.Marshal(inner))}}
}

// PAC makes a PAC with what is needed to name a user: UPN_DNS_INFO with the SID (MS-PAC 2.10) and the server's signature.
func PAC(service types.EncryptionKey, user, sid string) []byte {
	return Signed(service, Buffer{UPNInfo, upnInfo(user, sid)}, Buffer{Kind: ServerSignature})
}

func upnInfo(user, sid string) []byte {
	texts := [][]byte{utf16Text(user + "@lab.test"), utf16Text(Realm), utf16Text(user), sidBytes(sid)}
	const fixed = 24
	b := make([]byte, fixed)
	for i, at := range []int{0, 4, 12, 16} {
		binary.LittleEndian.PutUint16(b[at:], uint16(len(texts[i])))
		binary.LittleEndian.PutUint16(b[at+2:], uint16(len(b)))
		b = append(b, texts[i]...)
	}
	binary.LittleEndian.PutUint32(b[8:], 2)
	for len(b)%8 != 0 {
		b = append(b, 0)
	}
	return b
}

func utf16Text(s string) (b []byte) {
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

// sidBytes encodes "S-1-5-…" (MS-DTYP 2.4.2.2).
func sidBytes(sid string) []byte {
	numbers := strings.Split(sid, "-")[2:]
	b := []byte{1, byte(len(numbers) - 1), 0, 0, 0, 0, 0, byte(must(strconv.ParseUint(numbers[0], 10, 8)))}
	for _, n := range numbers[1:] {
		b = binary.LittleEndian.AppendUint32(b, uint32(must(strconv.ParseUint(n, 10, 32))))
	}
	return b
}
