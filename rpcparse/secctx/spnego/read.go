package spnego

import (
	"github.com/nspiproxy/nspiproxy/rpcparse/internal/ber"
	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// Kind is the shape of a token.
type Kind uint8

// The kinds of token.
const (
	KindUnknown Kind = iota // not understood: Reading.Err says why
	KindInit                // negTokenInit, the client's first
	KindResp                // negTokenResp, every later one
	KindBare                // a mechanism's message without SPNEGO, perhaps in a GSS frame
)

// Reading is what a token says, read as leniently as peers read it. Its slices
// point into the token.
type Reading struct {
	Kind Kind

	// Offered is the first mechanism that a negTokenInit offers, "" if none. Its
	// Token is of this mechanism and no other: a server that chooses another one
	// ignores it (RFC 4178 4.2.1).
	Offered  OID
	MechList []byte // Init: the offered mechanisms as DER, which a mechListMIC signs; nil if absent

	State         State // Resp
	HasState      bool  // Resp
	SupportedMech OID   // Resp: the server's choice, or ""

	Token   []byte // mechToken, responseToken, or the whole token if it is bare; nil if absent
	ListMIC []byte // mechListMIC; nil if absent. Its presence consumes a sequence number

	// Mech and Message are what is in Token, by its content: a message of NTLM, or
	// one of Kerberos, which starts with its own tag (6e, 6f, 7e). Mech is MechOther
	// for anything else, and MechNone for an empty or absent token.
	Mech    Mech
	Message []byte

	// Missing is how many bytes the token announces and does not have: Samba takes
	// them from the next one. Err is set as well.
	Missing int
	Err     error // the token was not understood
}

// Optimistic reports whether the message of a negTokenInit is of the mechanism
// that was offered first. A message that is not cannot be what a server accepts.
func (r *Reading) Optimistic() bool {
	return r.Kind == KindInit && r.Mech == r.Offered.Mech() && r.Mech != MechNone
}

// Read reads a token of a client or server. It reads what Samba's spnego_parse.c
// reads: fields in any order, the last of several of one kind, any number of
// mechanisms, lengths in any definite form; and further a negTokenInit without
// its GSS frame, unknown fields, and bytes behind the token.
func Read(token []byte) Reading {
	var r Reading
	if mech, message := messageIn(token); mech != MechOther && mech != MechNone {
		r.Kind, r.Token, r.Mech, r.Message = KindBare, token, mech, message
		return r
	}
	r.Err = r.envelope(token)
	if r.Err != nil {
		return Reading{Err: r.Err, Missing: missing(token)}
	}
	r.Mech, r.Message = messageIn(r.Token)
	return r
}

// envelope reads the outermost element.
func (r *Reading) envelope(token []byte) error {
	e, _, err := ber.Next(token)
	if err != nil {
		return err
	}
	if e.Tag == tagApplication {
		oid, rest, err := ber.Next(e.Content)
		if err != nil {
			return err
		}
		if oid.Tag != tagOID || canonical(oid.Content) != OIDSPNEGO {
			return wire.Errorf(wire.ClassInvalid, "gss_mech", 0, "another mechanism than SPNEGO")
		}
		if e, _, err = ber.Next(rest); err != nil {
			return err
		}
		if e.Tag != tagContext0 {
			return wire.Errorf(wire.ClassInvalid, "neg_token", 0, "tag %#02x, expected 0xa0", e.Tag)
		}
	}
	switch e.Tag {
	case tagContext0:
		r.Kind = KindInit
		return r.each(e.Content, r.initField)
	case tagContext1:
		r.Kind = KindResp
		return r.each(e.Content, r.respField)
	}
	return wire.Errorf(wire.ClassInvalid, "spnego", 0, "tag %#02x, expected 0x60, 0xa0 or 0xa1", e.Tag)
}

// each calls take for the fields of the SEQUENCE in a token.
func (r *Reading) each(b []byte, take func(ber.Element) error) error {
	fields, err := ber.Inside(b, tagSequence)
	if err != nil {
		return err
	}
	for len(fields) > 0 {
		var e ber.Element
		if e, fields, err = ber.Next(fields); err != nil {
			return err
		}
		if err = take(e); err != nil {
			return err
		}
	}
	return nil
}

// initField reads a0 mechTypes, a1 reqFlags, a2 mechToken, a3 mechListMIC or
// MS-SPNG's negHints, a4 mechListMIC (RFC 4178 4.2.1, MS-SPNG 2.2.1).
func (r *Reading) initField(e ber.Element) (err error) {
	switch e.Tag {
	case tagContext0:
		r.MechList = e.Content
		r.Offered, err = firstOffered(e.Content)
	case tagContext2:
		r.Token, err = ber.Inside(e.Content, tagOctetString)
	case tagContext3:
		if len(e.Content) > 0 && e.Content[0] == tagOctetString {
			r.ListMIC, err = ber.Inside(e.Content, tagOctetString)
		}
	case tagContext4:
		r.ListMIC, err = ber.Inside(e.Content, tagOctetString)
	}
	return err
}

// respField reads a0 negState, a1 supportedMech, a2 responseToken, a3
// mechListMIC (RFC 4178 4.2.2).
func (r *Reading) respField(e ber.Element) (err error) {
	var b []byte
	switch e.Tag {
	case tagContext0:
		if b, err = ber.Inside(e.Content, tagEnumerated); err == nil && len(b) != 1 {
			err = wire.Errorf(wire.ClassInvalid, "neg_state", 0, "%d bytes, expected one", len(b))
		}
		if err == nil {
			r.HasState, r.State = true, State(b[0])
		}
	case tagContext1:
		b, err = ber.Inside(e.Content, tagOID)
		r.SupportedMech = canonical(b)
	case tagContext2:
		r.Token, err = ber.Inside(e.Content, tagOctetString)
	case tagContext3:
		r.ListMIC, err = ber.Inside(e.Content, tagOctetString)
	}
	return err
}

// firstOffered returns the mechanism that comes first in a list. SPNEGO itself
// is passed over, as Samba does: it cannot negotiate itself.
func firstOffered(b []byte) (OID, error) {
	list, err := ber.Inside(b, tagSequence)
	for err == nil && len(list) > 0 {
		var e ber.Element
		if e, list, err = ber.Next(list); err != nil {
			return "", err
		}
		if e.Tag != tagOID {
			return "", wire.Errorf(wire.ClassInvalid, "mech_types", 0, "tag %#02x, expected 0x06", e.Tag)
		}
		if oid := canonical(e.Content); oid != OIDSPNEGO {
			return oid, nil
		}
	}
	return "", err
}

// canonical returns an identifier in its shortest encoding: peers compare the
// numbers, and read zeros in front of one (80) as nothing. Longer ones than any
// mechanism has are returned as they are.
func canonical(b []byte) OID {
	var short [maxOID]byte
	n, start := 0, true
	for _, c := range b {
		if start && c == 0x80 {
			continue
		}
		if n == len(short) {
			return OID(b)
		}
		short[n] = c
		n++
		start = c&0x80 == 0
	}
	for _, known := range mechanisms {
		if string(short[:n]) == string(known) {
			return known // without an allocation
		}
	}
	return OID(short[:n])
}

// maxOID is how long an identifier is rewritten, in bytes. Those of mechanisms
// have at most ten.
const maxOID = 32

var mechanisms = [...]OID{OIDSPNEGO, OIDKerberos, OIDMSKerberos, OIDNTLM, OIDNegoEx, OIDKerberosUU}

// messageIn finds the message of a mechanism in a token that may have a GSS
// frame.
func messageIn(token []byte) (Mech, []byte) {
	if len(token) == 0 {
		return MechNone, nil
	}
	if mech := bare(token); mech != MechNone {
		return mech, token
	}
	e, _, err := ber.Next(token)
	if err != nil || e.Tag != tagApplication {
		return MechOther, nil
	}
	oid, inner, err := ber.Next(e.Content)
	if err != nil || oid.Tag != tagOID {
		return MechOther, nil
	}
	mech := canonical(oid.Content).Mech()
	if mech == MechKerberos && len(inner) >= tokenIDSize {
		inner = inner[tokenIDSize:]
	}
	if mech == MechOther || bare(inner) != mech {
		return MechOther, nil
	}
	return mech, inner
}

// missing returns how many bytes an envelope of SPNEGO announces and lacks.
func missing(token []byte) int {
	if len(token) == 0 || token[0] != tagApplication && token[0] != tagContext1 {
		return 0
	}
	return ber.Missing(token)
}
