package krb5

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/oiweiwei/gokrb5.fork/v9/crypto"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/flags"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/keyusage"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/msgtype"
	"github.com/oiweiwei/gokrb5.fork/v9/messages"
	"github.com/oiweiwei/gokrb5.fork/v9/types"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// GSS flags of what a client wants its messages to have (RFC 4121 4.1.1.1).
const (
	FlagConfidentiality = 0x10
	FlagIntegrity       = 0x20
)

// clientFlags are the GSS flags of every Client: mutual authentication, replay
// detection, sequence numbers, DCE style.
const clientFlags = FlagDCEStyle | 0x0e

// maxClientNumber bounds the first number of a Client: some decoders read
// it as signed, and it must not turn over soon.
const maxClientNumber = 1<<30 - 1

// Ticket is a ticket for a service, as a KDC gave it to a client.
type Ticket struct {
	Ticket messages.Ticket
	Client types.PrincipalName
	Realm  string // of the client
	End    time.Time

	Session Key // shared with the service
}

// Format prints the names alone, whatever the verb.
func (t *Ticket) Format(s fmt.State, _ rune) {
	_, _ = fmt.Fprintf(s, "ticket of %q for %q", principal(t.Client.NameString, t.Realm), principal(t.Ticket.SName.NameString, t.Ticket.Realm))
}

// Check returns an error unless the session key has a type and size that a
// Client can use.
func (t *Ticket) Check() error { return checkKey(t.Session, "session key") }

// Client is the client's end of one handshake in DCE style. Set its ticket,
// then call Request and Reply in this order; Request again after a KRB-ERROR.
type Client struct {
	Ticket *Ticket
	// Flags say what the level of the context needs, and no more: a Samba server
	// reckons with signatures of the size that they promise.
	Flags uint32

	sent *Initiated // nil before Request
}

// Request returns the AP-REQ, with a fresh subkey of the session key's type.
func (c *Client) Request() ([]byte, error) {
	session := c.Ticket.Session
	if err := c.Ticket.Check(); err != nil {
		return nil, err
	}
	now := time.Now().UTC()
	subkey := Key{Etype: session.Etype, Value: make([]byte, len(session.Value))}
	var number [4]byte
	random(subkey.Value)
	random(number[:])
	c.sent = &Initiated{
		Sequence: binary.BigEndian.Uint32(number[:]) & maxClientNumber,
		Flags:    clientFlags | c.Flags,
		clocked:  true,
		ctime:    now.Truncate(time.Second), cusec: now.Nanosecond() / int(time.Microsecond),
		session: seal(Key{Etype: session.Etype, Value: append([]byte(nil), session.Value...)}), subkey: seal(subkey),
	}
	authenticator, err := c.authenticator()
	if err != nil {
		return nil, err
	}
	req := messages.APReq{
		PVNO: protocolVersion, MsgType: msgtype.KRB_AP_REQ, APOptions: types.NewKrbFlags(),
		Ticket: c.Ticket.Ticket, EncryptedAuthenticator: authenticator,
	}
	types.SetFlag(&req.APOptions, flags.APOptionMutualRequired)
	return req.Marshal()
}

// authenticator proves that the client has the session key.
func (c *Client) authenticator() (types.EncryptedData, error) {
	sum := make([]byte, gssChecksumSize)
	binary.LittleEndian.PutUint32(sum, gssBindingsLength)
	binary.LittleEndian.PutUint32(sum[gssFlagsOffset:], c.sent.Flags)
	subkey := c.sent.subkey()
	a := types.Authenticator{
		AVNO: protocolVersion, CRealm: c.Ticket.Realm, CName: c.Ticket.Client,
		Cksum: types.Checksum{CksumType: gssChecksum, Checksum: sum},
		CTime: c.sent.ctime, Cusec: c.sent.cusec, SeqNumber: int64(c.sent.Sequence),
		SubKey: types.EncryptionKey{KeyType: subkey.Etype, KeyValue: subkey.Value},
	}
	plain, err := a.Marshal()
	if err != nil {
		return types.EncryptedData{}, err
	}
	return encrypt(plain, c.sent.session(), keyusage.AP_REQ_AUTHENTICATOR)
}

// Reply takes the server's AP-REP, which proves that the server has the key of
// the service, and returns the client's, which ends the handshake. A KRB-ERROR
// in its place is a [KRBError].
func (c *Client) Reply(token []byte) (third []byte, e *Established, err error) {
	if c.sent == nil {
		return nil, nil, wire.Errorf(wire.ClassState, nameAPRep, 0, "an AP-REP before the AP-REQ")
	}
	if IsKRBError(token) {
		return nil, nil, readKRBError(token)
	}
	if e, err = c.sent.OpenAPRep(token); err != nil {
		return nil, nil, err
	}
	part := messages.EncAPRepPart{CTime: e.ctime, Cusec: e.cusec, SequenceNumber: int64(e.AcceptorSequence)}
	plain, err := part.Marshal()
	if err != nil {
		return nil, nil, err
	}
	rep := messages.APRep{PVNO: protocolVersion, MsgType: msgtype.KRB_AP_REP}
	if rep.EncPart, err = encrypt(plain, e.session(), keyusage.AP_REP_ENCPART); err != nil {
		return nil, nil, err
	}
	third, err = rep.Marshal()
	return third, e, err
}

// encrypt is the reverse of Decrypt.
func encrypt(plain []byte, key Key, usage uint32) (types.EncryptedData, error) {
	return crypto.GetEncryptedData(plain, types.EncryptionKey{KeyType: key.Etype, KeyValue: key.Value}, usage, 0)
}
