package spnego

import (
	"strconv"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// State is the negState of a negTokenResp (RFC 4178 4.2.2).
type State uint8

// The states of a negotiation.
const (
	StateAcceptCompleted  State = 0
	StateAcceptIncomplete State = 1
	StateReject           State = 2
	StateRequestMIC       State = 3
)

// String returns the name of RFC 4178.
func (s State) String() string {
	switch s {
	case StateAcceptCompleted:
		return "accept-completed"
	case StateAcceptIncomplete:
		return "accept-incomplete"
	case StateReject:
		return "reject"
	case StateRequestMIC:
		return "request-mic"
	}
	return "state(" + strconv.Itoa(int(s)) + ")"
}

// Token is a negTokenInit (RFC 4178 4.2.1, with MS-SPNG's negTokenInit2) or a
// negTokenResp (4.2.2). Its slices point into the token that was parsed.
type Token struct {
	Init bool // negTokenInit; otherwise negTokenResp

	MechTypes    []OID  // Init: what the client offers, in its order of preference
	MechTypeList []byte // Init: the same as DER, SEQUENCE header included: what a mechListMIC signs

	State         State // Resp
	HasState      bool  // Resp
	SupportedMech OID   // Resp: the server's choice, or ""

	MechToken []byte // mechToken or responseToken: the mechanism's own message; nil if absent
	ListMIC   []byte // mechListMIC; nil if absent. Its presence consumes a sequence number
}

// Parse reads one SPNEGO token as leniently as peers do (Samba's spnego_parse.c):
// fields may come in any order, of two the last one counts, and bytes after the
// outermost element are ignored. A negTokenInit may lack the frame of GSS.
func Parse(token []byte) (Token, error) {
	r := reader{b: token, top: true}
	switch r.peek() {
	case tagApplication:
		frame, err := r.expect(tagApplication, "gss_frame")
		if err != nil {
			return Token{}, err
		}
		at := frame.off
		oid, err := frame.expect(tagOID, "gss_mech")
		if err != nil {
			return Token{}, err
		}
		if mech := canonical(oid.b); mech != OIDSPNEGO {
			return Token{}, wire.Errorf(wire.ClassInvalid, "gss_mech", at, "%s, expected SPNEGO", mech)
		}
		return parseInit(frame)
	case tagContext0:
		return parseInit(r)
	case tagContext1:
		return parseResp(r)
	}
	if len(token) == 0 {
		return Token{}, wire.Short("spnego", 0, 0, 2)
	}
	return Token{}, wire.Errorf(wire.ClassInvalid, "spnego", 0, "tag %#02x, expected 0x60 or 0xa1", token[0])
}

// maxFragmentedLength is of how many octets, behind the first, the length of a token
// is that may come in several pieces: Samba joins those of no longer form.
const maxFragmentedLength = 4

// Missing returns how many bytes a token announces and does not have; 0 for tokens
// that are no negTokenInit in its frame and no negTokenResp.
func Missing(token []byte) int {
	const moreOctets = 0x80
	if len(token) < 2 || token[0] != tagApplication && token[0] != tagContext1 {
		return 0
	}
	if n := int(token[1] &^ moreOctets); token[1] >= moreOctets && (n > maxFragmentedLength || len(token) < 2+max(1, n)) {
		return 0
	}
	r := reader{b: token, top: true}
	head, length, err := r.length()
	if err != nil {
		return 0
	}
	return max(0, head+length-len(token))
}

// parseInit reads a0 { 30 { a0 mechTypes, a1 reqFlags, a2 mechToken,
// a3 mechListMIC or negHints, a4 mechListMIC } }.
func parseInit(r reader) (Token, error) {
	t := Token{Init: true}
	err := fields(r, tagContext0, func(tag byte, f reader) (err error) {
		switch tag {
		case tagContext0:
			t.MechTypeList = f.b
			t.MechTypes, err = mechTypes(f)
		case tagContext2:
			t.MechToken, err = octets(f)
		case tagContext3:
			if f.peek() == tagOctetString { // otherwise MS-SPNG 2.2.1 negHints
				t.ListMIC, err = octets(f)
			}
		case tagContext4:
			t.ListMIC, err = octets(f)
		}
		return err
	})
	return t, err
}

// parseResp reads a1 { 30 { a0 negState, a1 supportedMech, a2 responseToken,
// a3 mechListMIC } }.
func parseResp(r reader) (Token, error) {
	var t Token
	err := fields(r, tagContext1, func(tag byte, f reader) (err error) {
		switch tag {
		case tagContext0:
			t.HasState = true
			t.State, err = negState(f)
		case tagContext1:
			var oid reader
			oid, err = f.expect(tagOID, "supported_mech")
			t.SupportedMech = canonical(oid.b)
		case tagContext2:
			t.MechToken, err = octets(f)
		case tagContext3:
			t.ListMIC, err = octets(f)
		}
		return err
	})
	return t, err
}

// fields calls visit for the members of the SEQUENCE inside choice, in their order.
func fields(r reader, choice byte, visit func(tag byte, f reader) error) error {
	body, err := r.expect(choice, "neg_token")
	if err != nil {
		return err
	}
	seq, err := body.expect(tagSequence, "neg_token")
	if err != nil {
		return err
	}
	for seq.more() {
		tag, f, err := seq.next()
		if err != nil {
			return err
		}
		if err := visit(tag, f); err != nil {
			return err
		}
	}
	return nil
}

func mechTypes(f reader) ([]OID, error) {
	list, err := f.expect(tagSequence, "mech_types")
	if err != nil {
		return nil, err
	}
	var mechs []OID
	for list.more() {
		oid, err := list.expect(tagOID, "mech_type")
		if err != nil {
			return nil, err
		}
		mechs = append(mechs, canonical(oid.b))
	}
	return mechs, nil
}

func octets(f reader) ([]byte, error) {
	content, err := f.expect(tagOctetString, "octet_string")
	return content.b, err
}

func negState(f reader) (State, error) {
	at := f.off
	enum, err := f.expect(tagEnumerated, "neg_state")
	if err != nil {
		return 0, err
	}
	if len(enum.b) != 1 { // the value is not asked of a client
		return 0, wire.Errorf(wire.ClassInvalid, "neg_state", at, "%d bytes, expected one", len(enum.b))
	}
	return State(enum.b[0]), nil
}
