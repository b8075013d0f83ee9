package krb5

import (
	"github.com/nspiproxy/nspiproxy/rpcparse/internal/ber"
	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// First octets of Kerberos messages (RFC 4120 5.10).
const (
	tagAPReq    = 0x6e
	tagAPRep    = 0x6f
	tagKRBError = 0x7e
)

const nameFrame = "gss_frame"

// The GSS frame (RFC 2743 3.1): 60 L 06 09 <mechanism> and two octets that say
// which message follows (RFC 4121 4.1).
const (
	frameTag    = 0x60
	frameIDSize = 2
)

// IsKRBError tells whether the server answered with a KRB-ERROR, for example
// because clocks differ: the client starts again with another AP-REQ in the
// same security context (MS-KILE 3.4.5).
func IsKRBError(token []byte) bool {
	_, err := message(token, tagKRBError)
	return err == nil
}

// message returns the Kerberos message in token, which must have this tag:
// DCE style sends it bare, other clients in the frame of RFC 2743. Bytes
// behind it are ignored.
func message(token []byte, tag byte) ([]byte, error) {
	if len(token) > maxMessage {
		return nil, wire.Errorf(wire.ClassLimit, nameFrame, 0, "%d bytes, at most %d", len(token), maxMessage)
	}
	e, rest, err := ber.Next(token)
	if err != nil {
		return nil, unreadable("token", err)
	}
	if e.Tag == frameTag {
		if token, err = unframe(e.Content); err != nil {
			return nil, err
		}
		if e, rest, err = ber.Next(token); err != nil {
			return nil, unreadable("token", err)
		}
	}
	if e.Tag != tag {
		return nil, wire.Errorf(wire.ClassInvalid, nameFrame, 0, "no message with tag %#x", tag)
	}
	return token[:len(token)-len(rest)], nil
}

// unframe returns what follows the mechanism and the octets behind it.
func unframe(b []byte) ([]byte, error) {
	e, b, err := ber.Next(b)
	const tagOID = 0x06
	if err != nil || e.Tag != tagOID || len(b) < frameIDSize {
		return nil, wire.Errorf(wire.ClassInvalid, nameFrame, 0, "no mechanism in the frame")
	}
	return b[frameIDSize:], nil
}
