package directory

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/oiweiwei/gokrb5.fork/v9/crypto"
	"github.com/oiweiwei/gokrb5.fork/v9/gssapi"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/keyusage"
)

// Flags of a token of RFC 4121 4.2.2, beside that of the server.
const (
	flagSealed = 2
	flagSubkey = 4 // made with the server's subkey
)

// layerNone is the bit of a security layer that is none (RFC 4752 3.3).
const layerNone = 1

// NegotiateSaslAuth implements [ldap.GSSAPIClient]: it reads which security layers
// the server offers, and chooses none (RFC 4752 3.1). authzid is the identity to act as;
// empty: as who the ticket names.
func (g *initiator) NegotiateSaslAuth(token []byte, authzid string) (out []byte, err error) {
	defer recovered(&err)
	if g.stage != stageEstablished {
		return nil, errors.New("a token of the server out of turn")
	}
	offer, err := g.unwrap(token)
	if err != nil {
		return nil, err
	}
	const size = 4 // a bit for each layer, and how many bytes the server takes at once
	if len(offer) != size {
		return nil, fmt.Errorf("the server offers security layers in %d bytes, expected %d", len(offer), size)
	}
	if offer[0]&layerNone == 0 {
		return nil, errors.New("the server demands a security layer of SASL; with ldaps or start_tls there is none needed")
	}
	out, err = g.wrap(append([]byte{layerNone, 0, 0, 0}, authzid...))
	if err == nil {
		g.stage = stageNegotiated
	}
	return out, err
}

// unwrap returns the message of a token that the server has signed and not
// encrypted (RFC 4121 4.2.6.2).
func (g *initiator) unwrap(token []byte) ([]byte, error) {
	if len(token) < gssapi.HdrLen || len(token) > maxToken {
		return nil, fmt.Errorf("the server sent a token of %d bytes", len(token))
	}
	var w gssapi.WrapToken
	if err := w.Unmarshal(unrotate(token), true); err != nil {
		return nil, fmt.Errorf("the server's token is none of RFC 4121, as only AES has: %w", err)
	}
	if w.Flags&flagSealed != 0 || (w.Flags&flagSubkey != 0) != g.subkey {
		return nil, fmt.Errorf("the server's token has flags %#x", w.Flags)
	}
	if ok, err := w.Verify(g.key, keyusage.GSSAPI_ACCEPTOR_SEAL); !ok || err != nil {
		return nil, errors.New("the signature of the server's token is wrong")
	}
	return w.Payload, nil
}

// unrotate returns a copy of a token whose message and checksum are in this
// order: a sender may rotate them to the right (RFC 4121 4.2.5).
func unrotate(token []byte) []byte {
	const countAt = 6
	header, body := token[:gssapi.HdrLen], token[gssapi.HdrLen:]
	n := 0
	if len(body) > 0 {
		n = int(binary.BigEndian.Uint16(header[countAt:])) % len(body)
	}
	return slices.Concat(header, body[n:], body[:n])
}

// wrap signs a message.
func (g *initiator) wrap(message []byte) ([]byte, error) {
	etype, err := crypto.GetEtype(g.key.KeyType)
	if err != nil {
		return nil, err
	}
	w := gssapi.WrapToken{EC: uint16(etype.GetHMACBitLength() / 8), SndSeqNum: g.number, Payload: message}
	if g.subkey {
		w.Flags = flagSubkey
	}
	if err := w.SetCheckSum(g.key, keyusage.GSSAPI_INITIATOR_SEAL); err != nil {
		return nil, err
	}
	return w.Marshal()
}
