package forge

import (
	"encoding/binary"
	"time"

	"github.com/oiweiwei/gokrb5.fork/v9/crypto"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/keyusage"
	"github.com/oiweiwei/gokrb5.fork/v9/messages"
	"github.com/oiweiwei/gokrb5.fork/v9/types"
)

// GSS flags (RFC 4121 4.1.1.1), and those of usual clients.
const (
	FlagDCE    = 0x1000
	FlagMutual = 0x02

	DCEStyle = 0x100e // three legs, nothing protected
	Mutual   = 0x000e // two legs
	OneLeg   = 0x000c
)

// Client makes the messages of a client of one handshake. Only Ticket is needed.
type Client struct {
	Ticket *Ticket
	Flags  uint32 // GSS flags
	// Checksum is the type of the authenticator's checksum; 0: that of GSS, negative: none.
	Checksum int32
	Options  byte                 // first octet of ap-options: 0x20 asks for an AP-REP
	Subkey   *types.EncryptionKey // nil: none
	// Edit changes the authenticator before it is encrypted, EditRequest the AP-REQ before it is encoded.
	Edit        func(*types.Authenticator)
	EditRequest func(*messages.APReq)
	Number      int64 // sequence number

	sent types.Authenticator
}

const gssChecksum = 0x8003

// Request returns the AP-REQ.
func (c *Client) Request() []byte {
	now := time.Now().UTC()
	a := types.Authenticator{
		AVNO: 5, CRealm: c.Ticket.Realm, CName: c.Ticket.Client, CTime: now.Truncate(time.Second),
		Cusec: now.Nanosecond() / 1000, SeqNumber: c.Number,
	}
	if c.Checksum >= 0 {
		sum := binary.LittleEndian.AppendUint32(nil, 16)
		sum = binary.LittleEndian.AppendUint32(append(sum, make([]byte, 16)...), c.Flags)
		a.Cksum = types.Checksum{CksumType: gssChecksum, Checksum: sum}
		if c.Checksum > 0 {
			a.Cksum.CksumType = c.Checksum
		}
	}
	if c.Subkey != nil {
		a.SubKey = *c.Subkey
	}
	if c.Edit != nil {
		c.Edit(&a)
	}
	c.sent = a
	options := types.NewKrbFlags()
	options.Bytes[0] = c.Options
	req := messages.APReq{
		PVNO: 5, MsgType: 14, APOptions: options, Ticket: c.Ticket.Ticket,
		EncryptedAuthenticator: must(crypto.GetEncryptedData(must(a.Marshal()), c.Ticket.Session, keyusage.AP_REQ_AUTHENTICATOR, 0)),
	}
	if c.EditRequest != nil {
		c.EditRequest(&req)
	}
	return must(req.Marshal())
}

// Answer returns the AP-REP of a server that has read the request, with its subkey or, if that is nil, without.
func (c *Client) Answer(subkey *types.EncryptionKey) []byte {
	part := messages.EncAPRepPart{CTime: c.sent.CTime, Cusec: c.sent.Cusec, SequenceNumber: 0x11223344}
	if subkey != nil {
		part.Subkey = *subkey
	}
	return c.reply(part)
}

// Third returns the client's AP-REP, which repeats the number of the server's. ok is false if the answer is not for this
// client.
func (c *Client) Third(answer []byte) (third []byte, ok bool) {
	var rep messages.APRep
	if rep.Unmarshal(answer) != nil {
		return nil, false
	}
	plain, err := crypto.DecryptEncPart(rep.EncPart, c.Ticket.Session, keyusage.AP_REP_ENCPART)
	if err != nil {
		return nil, false
	}
	var part messages.EncAPRepPart
	if part.Unmarshal(plain) != nil {
		return nil, false
	}
	return c.reply(messages.EncAPRepPart{CTime: c.sent.CTime, Cusec: c.sent.Cusec, SequenceNumber: part.SequenceNumber}), true
}

func (c *Client) reply(part messages.EncAPRepPart) []byte {
	rep := messages.APRep{PVNO: 5, MsgType: 15}
	rep.EncPart = must(crypto.GetEncryptedData(must(part.Marshal()), c.Ticket.Session, keyusage.AP_REP_ENCPART, 0))
	return must(rep.Marshal())
}
