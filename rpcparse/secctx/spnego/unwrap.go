package spnego

import "bytes"

// ntlmSignature starts every NTLM message (MS-NLMP 2.2.1).
var ntlmSignature = []byte("NTLMSSP\x00")

// The first octets of bare Kerberos messages (RFC 4120 5.5, 5.9).
const (
	tagAPReq    = 0x6e
	tagAPRep    = 0x6f
	tagKRBError = 0x7e
)

// tokenIDSize is the size of the token identifier between the OID of a GSS
// frame and the Kerberos message in it (RFC 4121 4.1).
const tokenIDSize = 2

// maxEnvelopes bounds how often one envelope may hold another: SPNEGO around a
// GSS frame is two.
const maxEnvelopes = 3

// Unwrap finds the NTLM or Kerberos message in an authentication token,
// whether it is bare, GSS-framed or inside SPNEGO. inner points into token; a
// Kerberos message starts with its own tag (6e, 6f, 7e). ok is false when the
// token carries no such message or cannot be read. The content decides, not
// the mechanism that the envelope announces.
func Unwrap(token []byte) (mech Mech, inner []byte, ok bool) {
	for range maxEnvelopes {
		if mech := bare(token); mech != MechNone {
			return mech, token, true
		}
		if t, err := Parse(token); err == nil {
			token = t.MechToken
			continue
		}
		if token, ok = unframe(token); !ok {
			break
		}
	}
	return MechNone, nil, false
}

// bare recognises a message that needs no envelope.
func bare(token []byte) Mech {
	if bytes.HasPrefix(token, ntlmSignature) {
		return MechNTLM
	}
	if len(token) > 0 {
		switch token[0] {
		case tagAPReq, tagAPRep, tagKRBError:
			return MechKerberos
		}
	}
	return MechNone
}

// unframe removes the GSS frame 60 L 06 L <mechanism> around a message.
func unframe(token []byte) ([]byte, bool) {
	r := reader{b: token, top: true}
	frame, err := r.expect(tagApplication, "gss_frame")
	if err != nil {
		return nil, false
	}
	oid, err := frame.expect(tagOID, "gss_mech")
	if err != nil {
		return nil, false
	}
	switch canonical(oid.b).Mech() {
	case MechNTLM:
		return frame.b, true
	case MechKerberos:
		if len(frame.b) > tokenIDSize {
			return shortTag(frame.b[tokenIDSize:]), true
		}
	}
	return nil, false
}

// longTag begins an identifier of class application whose number follows, seven
// bits in an octet (X.690 8.1.2.4).
const longTag = 0x7f

// shortTag returns a Kerberos message with its tag in one octet: Heimdal reads the
// long form as well. Only then it is a copy.
func shortTag(b []byte) []byte {
	if len(b) == 0 || b[0] != longTag {
		return b
	}
	const more, constructedApplication, most = 0x80, 0x60, 0x1e
	at := 1
	for at < len(b) && b[at] == more {
		at++
	}
	if at == len(b) || b[at] > most {
		return b
	}
	return append([]byte{constructedApplication | b[at]}, b[at+1:]...)
}
