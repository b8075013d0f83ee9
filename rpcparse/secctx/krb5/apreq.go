package krb5

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"github.com/oiweiwei/gokrb5.fork/v9/iana/keyusage"
	"github.com/oiweiwei/gokrb5.fork/v9/messages"
	"github.com/oiweiwei/gokrb5.fork/v9/types"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

const nameAPReq = "ap_req"

// protocolVersion of Kerberos messages and tickets (RFC 4120 5.3, 5.5.1).
const protocolVersion = 5

// useSessionKey is bit 1 of ap-options: the ticket is encrypted in the session
// key of a ticket of the server's, not in its long-term key (RFC 4120 5.5.1).
const useSessionKey = 1

// Initiated is what an AP-REQ tells who holds the service's key: the first leg
// of a handshake. Its names are of a client with a valid ticket; that the
// message is no replay and not out of date only the server's answer proves.
type Initiated struct {
	Client   string    // cname@crealm of the ticket; the PAC may name another, who is impersonated
	Service  string    // principal of the ticket, as the client sent it
	AuthTime time.Time // when the client proved who it is to the KDC
	EndTime  time.Time // when the ticket ends

	Flags    uint32    // GSS flags of RFC 4121 4.1.1.1; always with FlagDCEStyle
	Sequence uint32    // number of the client's first message
	Time     time.Time // the client's clock, with microseconds; client, time and ReplayID are what a replay cache keeps

	// ReplayID is the SHA-256 of the encrypted authenticator. Unlike the bytes
	// around it, nobody without the session key can alter it, so a replayed
	// AP-REQ has that of the first.
	ReplayID [sha256.Size]byte

	// PAC is what the KDC vouches for, its signature verified; nil when the
	// ticket has none or PACErr says why it is not trusted.
	PAC    *PAC
	PACErr error

	ctime   time.Time // seconds, as the AP-REP repeats them
	cusec   int
	session sealed
	subkey  sealed // nil: none
}

// String names client and service.
func (in *Initiated) String() string {
	return fmt.Sprintf("AP-REQ of %q for %q", in.Client, in.Service)
}

// Format prints the same whatever the verb.
func (in *Initiated) Format(s fmt.State, _ rune) {
	_, _ = s.Write([]byte(in.String()))
}

// OpenAPReq opens the AP-REQ in token, which may be bare or GSS-framed, with
// the keys of kt. The first return value is nil unless the Outcome's result is
// KeyFound.
func OpenAPReq(token []byte, kt *Keytab) (*Initiated, Outcome) {
	req, err := parseAPReq(token)
	if err != nil {
		return nil, Outcome{Result: Malformed, Err: err}
	}
	ticket := &req.Ticket
	o := Outcome{
		Service: principal(ticket.SName, ticket.Realm),
		Etype:   ticket.EncPart.EType,
		Kvno:    uint32(ticket.EncPart.KVNO),
	}
	if req.APOptions.At(useSessionKey) != 0 {
		o.Result = Undecryptable
		o.Err = wire.Errorf(wire.ClassAuth, nameAPReq, 0, "the ticket is user-to-user: no long-term key opens it")
		return nil, o
	}
	plain, entry, err := kt.openTicket(ticket)
	if plain == nil {
		return nil, kt.unopened(o, ticket.Realm, ticket.SName.NameString, err)
	}
	in, err := initiate(req, plain, entry.key())
	if err != nil {
		o.Result, o.Err = Malformed, err
		return nil, o
	}
	in.Service = o.Service
	o.Result, o.Key = KeyFound, entry.String()
	return in, o
}

// parseAPReq reads what is in clear and checks that nothing is missing that
// the libraries or this package rely on.
func parseAPReq(token []byte) (*messages.APReq, error) {
	b, err := message(token, tagAPReq)
	if err != nil {
		return nil, err
	}
	req := &messages.APReq{}
	if err := Decode(b, "AP-REQ", req.Unmarshal); err != nil {
		return nil, err
	}
	switch t := &req.Ticket; {
	case req.PVNO != protocolVersion || t.TktVNO != protocolVersion:
		return nil, wire.Errorf(wire.ClassInvalid, nameAPReq, 0, "versions %d and %d, expected %d", req.PVNO, t.TktVNO, protocolVersion)
	case t.Realm == "" || len(t.SName.NameString) == 0 || len(t.SName.NameString) > maxComponents:
		return nil, wire.Errorf(wire.ClassInvalid, nameAPReq, 0, "a service name of %d components, realm of %d bytes", len(t.SName.NameString), len(t.Realm))
	}
	return req, nil
}

// openTicket tries keys on a ticket, the likeliest first. plain is nil when
// none fits; err is the first, and so the likeliest, key's.
func (kt *Keytab) openTicket(t *messages.Ticket) (plain []byte, with Entry, err error) {
	for _, e := range kt.Find(t.Realm, t.SName.NameString, t.EncPart.EType, uint32(t.EncPart.KVNO)) {
		plain, failed := Decrypt(t.EncPart, e.key(), keyusage.KDC_REP_TICKET, "ticket")
		if failed == nil {
			return plain, e, nil
		}
		if err == nil {
			err = failed
		}
	}
	return nil, Entry{}, err
}

// initiate reads the opened ticket, and the authenticator with its session
// key.
func initiate(req *messages.APReq, plain []byte, service Key) (*Initiated, error) {
	var part messages.EncTicketPart
	if err := Decode(plain, "ticket", part.Unmarshal); err != nil {
		return nil, err
	}
	in := &Initiated{
		Client:   principal(part.CName, part.CRealm),
		AuthTime: part.AuthTime,
		EndTime:  part.EndTime,
		ReplayID: sha256.Sum256(req.EncryptedAuthenticator.Cipher),
		session:  seal(Key{Etype: part.Key.KeyType, Value: part.Key.KeyValue}),
	}
	auth, err := openAuthenticator(req.EncryptedAuthenticator, in.session())
	if err != nil {
		return nil, err
	}
	if err := in.take(auth, &part); err != nil {
		return nil, err
	}
	in.PAC, in.PACErr = findPAC(part.AuthorizationData, service)
	return in, nil
}

// principal prints a name as Kerberos does. It may hold any character.
func principal(name types.PrincipalName, realm string) string {
	return strings.Join(name.NameString, "/") + "@" + realm
}
