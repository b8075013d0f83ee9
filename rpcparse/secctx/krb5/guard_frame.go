package krb5

import (
	"bytes"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// First octets of Kerberos messages (RFC 4120 5.10).
const (
	tagAPReq    = 0x6e
	tagAPRep    = 0x6f
	tagKRBError = 0x7e
)

const nameFrame = "gss_frame"

// frameTag starts the GSS frame (RFC 2743 3.1): 60 L 06 09 <mechanism> and two
// octets that say which message follows.
const frameTag = 0x60

// mechanisms are the object identifiers of Kerberos, with tag and length: the
// standard's, and the one that Windows 2000 made of it by mistake.
var mechanisms = [][]byte{
	{0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02},
	{0x06, 0x09, 0x2a, 0x86, 0x48, 0x82, 0xf7, 0x12, 0x01, 0x02, 0x02},
}

// frameIDs say which message a frame holds (RFC 4121 4.1).
var frameIDs = map[byte][]byte{
	tagAPReq:    {1, 0},
	tagAPRep:    {2, 0},
	tagKRBError: {3, 0},
}

// IsKRBError tells whether the server answered with a KRB-ERROR, for example
// because clocks differ: the client starts again with another AP-REQ in the
// same security context (MS-KILE 3.4.5).
func IsKRBError(token []byte) bool {
	_, err := message(token, tagKRBError)
	return err == nil
}

// message returns the Kerberos message in token, whose first octet must be
// tag: DCE style sends it bare, some clients in the frame of RFC 2743.
func message(token []byte, tag byte) ([]byte, error) {
	if len(token) > maxMessage {
		return nil, wire.Errorf(wire.ClassLimit, nameFrame, 0, "%d bytes, at most %d", len(token), maxMessage)
	}
	b := token
	if len(b) > 0 && b[0] == frameTag {
		var err error
		if b, err = unframe(b, tag); err != nil {
			return nil, err
		}
	}
	if len(b) == 0 || b[0] != tag {
		return nil, wire.Errorf(wire.ClassInvalid, nameFrame, 0, "no message with tag %#x", tag)
	}
	return b, nil
}

func unframe(b []byte, tag byte) ([]byte, error) {
	if len(b) < 2 {
		return nil, wire.Errorf(wire.ClassInvalid, nameFrame, 0, "%d bytes", len(b))
	}
	w := derWalk{b: b, what: "GSS frame"}
	start, size, err := w.length(1, len(b))
	if err != nil {
		return nil, err
	}
	if size > len(b)-start {
		return nil, w.invalid(1, "%d bytes announced, %d there", size, len(b)-start)
	}
	for _, oid := range mechanisms {
		if rest, ok := bytes.CutPrefix(b[start:], oid); ok {
			if inner, ok := bytes.CutPrefix(rest, frameIDs[tag]); ok {
				return inner, nil
			}
			return nil, w.invalid(start+len(oid), "another message than announced")
		}
	}
	return nil, w.invalid(start, "another mechanism than Kerberos")
}
