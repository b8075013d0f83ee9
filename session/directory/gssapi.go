package directory

import (
	"bytes"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/oiweiwei/gokrb5.fork/v9/asn1tools"
	"github.com/oiweiwei/gokrb5.fork/v9/crypto"
	"github.com/oiweiwei/gokrb5.fork/v9/gssapi"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/chksumtype"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/flags"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/keyusage"
	"github.com/oiweiwei/gokrb5.fork/v9/messages"
	"github.com/oiweiwei/gokrb5.fork/v9/types"
)

// stage is how far a bind with SASL GSSAPI has come.
type stage uint8

const (
	stageStart       stage = iota
	stageRequested         // the AP-REQ is sent
	stageEstablished       // the server's AP-REP proves that it has the service's key
	stageNegotiated        // the security layer is chosen
)

// initiator is the client's end of one bind with SASL GSSAPI and Kerberos (RFC
// 4752). It is an [ldap.GSSAPIClient]:
//
//	client                                   server
//	AP-REQ ─────────────────────────────────▶
//	        ◀──────────────────────── AP-REP
//	(nothing) ──────────────────────────────▶
//	        ◀─── signed: the layers it offers
//	signed: no security layer ──────────────▶
//
// There is no security layer, because TLS is one already. A new bind needs a new
// initiator.
type initiator struct {
	realm  string
	name   types.PrincipalName
	ticket func(spn string) (messages.Ticket, types.EncryptionKey, error)

	stage   stage
	ctime   time.Time // of the authenticator; the AP-REP repeats it
	cusec   int
	number  uint64              // of the first token
	session types.EncryptionKey // of the ticket
	key     types.EncryptionKey // of tokens: the server's subkey, else session
	subkey  bool                // key is the server's
}

// InitSecContext implements [ldap.GSSAPIClient].
func (g *initiator) InitSecContext(target string, token []byte) ([]byte, bool, error) {
	return g.InitSecContextWithOptions(target, token, nil)
}

// InitSecContextWithOptions implements [ldap.GSSAPIClient]. The options are those
// of the AP-REQ, of which mutual authentication alone is used, always.
func (g *initiator) InitSecContextWithOptions(target string, token []byte, _ []int) (out []byte, more bool, err error) {
	defer recovered(&err)
	switch g.stage {
	case stageStart:
		out, err = g.request(target)
		return out, true, err
	case stageRequested:
		return nil, false, g.takeReply(token)
	}
	return nil, false, errors.New("the security context is established already")
}

// DeleteSecContext implements [ldap.GSSAPIClient]: it overwrites the keys.
func (g *initiator) DeleteSecContext() error {
	clear(g.session.KeyValue)
	clear(g.key.KeyValue)
	return nil
}

// contextFlags are the GSS flags of the bind: the server proves who it is, and
// tokens can be signed.
const contextFlags = gssapi.ContextFlagMutual | gssapi.ContextFlagInteg | gssapi.ContextFlagConf

// request returns the AP-REQ for a service, in its GSS frame.
func (g *initiator) request(spn string) ([]byte, error) {
	ticket, session, err := g.ticket(spn)
	if err != nil {
		return nil, err
	}
	auth, err := types.NewAuthenticator(g.realm, g.name)
	if err != nil {
		return nil, err
	}
	auth.Cksum = types.Checksum{CksumType: chksumtype.GSSAPI, Checksum: contextChecksum()}
	req, err := messages.NewAPReq(ticket, session, auth)
	if err != nil {
		return nil, err
	}
	types.SetFlag(&req.APOptions, flags.APOptionMutualRequired)
	b, err := req.Marshal()
	if err != nil {
		return nil, err
	}
	g.stage, g.session = stageRequested, session
	g.ctime, g.cusec, g.number = auth.CTime.Truncate(time.Second), auth.Cusec, uint64(auth.SeqNumber)
	return frame(tokenAPReq, b), nil
}

// contextChecksum is the checksum of an authenticator that carries the GSS flags,
// without channel bindings (RFC 4121 4.1.1).
func contextChecksum() []byte {
	const bindings, flagsAt, size = 16, 20, 24
	sum := make([]byte, size)
	binary.LittleEndian.PutUint32(sum, bindings)
	binary.LittleEndian.PutUint32(sum[flagsAt:], contextFlags)
	return sum
}

// takeReply checks the server's answer to the AP-REQ: only who has the service's
// key can have made an AP-REP that repeats the client's clock (RFC 4120 3.2.5).
func (g *initiator) takeReply(token []byte) error {
	id, message, err := unframe(token)
	if err != nil {
		return err
	}
	if id == tokenError {
		var failure messages.KRBError
		if err := failure.Unmarshal(message); err != nil {
			return errMalformed
		}
		return failure
	}
	part, err := openReply(id, message, g.session)
	if err != nil {
		return err
	}
	if !part.CTime.Equal(g.ctime) || part.Cusec != g.cusec {
		return errors.New("the server's AP-REP answers another AP-REQ")
	}
	g.key, g.subkey = g.session, part.Subkey.KeyType != 0
	if g.subkey {
		g.key = part.Subkey
	}
	g.stage = stageEstablished
	return nil
}

// openReply decrypts an AP-REP.
func openReply(id tokenID, message []byte, session types.EncryptionKey) (part messages.EncAPRepPart, err error) {
	if id != tokenAPRep {
		return part, fmt.Errorf("the server answered the AP-REQ with a token of type %x", id)
	}
	var rep messages.APRep
	if err := rep.Unmarshal(message); err != nil {
		return part, errMalformed
	}
	plain, err := crypto.DecryptEncPart(rep.EncPart, session, keyusage.AP_REP_ENCPART)
	if err != nil {
		return part, errors.New("the session key does not open the server's AP-REP")
	}
	if err := part.Unmarshal(plain); err != nil {
		return part, errMalformed
	}
	return part, nil
}

// tokenID says which Kerberos message a GSS frame holds (RFC 4121 4.1).
type tokenID [2]byte

var (
	tokenAPReq = tokenID{1, 0}
	tokenAPRep = tokenID{2, 0}
	tokenError = tokenID{3, 0}
)

// mechanism is the object identifier of Kerberos (RFC 4121 4.1), with tag and
// length.
var mechanism = []byte{0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02}

// frame puts a Kerberos message into the frame of RFC 2743 3.1.
func frame(id tokenID, message []byte) []byte {
	return asn1tools.AddASNAppTag(slices.Concat(mechanism, id[:], message), 0)
}

// maxToken bounds a token of the server, in bytes. The largest is an AP-REP of
// some 200.
const maxToken = 16 << 10

// unframe undoes frame. The message shares token's bytes.
func unframe(token []byte) (id tokenID, message []byte, err error) {
	if len(token) > maxToken {
		return id, nil, fmt.Errorf("the server sent a token of %d bytes, at most %d", len(token), maxToken)
	}
	var outer asn1.RawValue
	rest, err := asn1.Unmarshal(token, &outer)
	if err != nil || len(rest) != 0 || outer.Class != asn1.ClassApplication || outer.Tag != 0 {
		return id, nil, errors.New("the server did not answer the AP-REQ with a token of GSS-API")
	}
	message, ok := bytes.CutPrefix(outer.Bytes, mechanism)
	if !ok || len(message) < len(id) {
		return id, nil, errors.New("the server answered the AP-REQ with a token of another mechanism than Kerberos")
	}
	return tokenID(message), message[len(id):], nil
}
