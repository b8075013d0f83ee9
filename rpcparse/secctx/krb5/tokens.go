package krb5

import (
	"fmt"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// trailerSize is the size of the security trailer in front of a token.
const trailerSize = 8

// Role is the end of a security context that makes a token.
type Role uint8

// The two ends: who sent the AP-REQ, and who answered it.
const (
	Initiator Role = iota
	Acceptor
)

// String returns the role as logs name it.
func (r Role) String() string {
	if r == Acceptor {
		return "acceptor"
	}
	return "initiator"
}

// Stream is one direction of a security context: its keys and the number of
// its next message. It is not safe for concurrent use, and it prints none of
// its keys.
//
// Every protected fragment of a request or response advances it by one, and
// so does a mechListMIC; other handshake PDUs and faults do not. A fragment
// skipped or added on one end only breaks it for good.
//
// Keys are derived and ciphers are set up when the first message needs them,
// so a stream that only counts is small.
type Stream struct {
	form       form
	sequence   uint64
	mask       uint64 // the bits that numbers have
	slack      uint64 // how far the next number may lie ahead
	signHeader bool
	failed     error // the first failure; a stream does not recover
}

// form is the token format of an encryption type, keyed for one direction.
// Tokens given to sign, verify, seal and open have a size that fits accepts.
type form interface {
	// size returns the size of a token as Windows, MIT and Heimdal make it.
	size(seal bool) int
	// numberMask has the bits set that a number can have.
	numberMask() uint64
	// fits says whether a token can have n bytes.
	fits(n int, seal bool) bool
	// number checks everything about a token that needs no checksum and
	// returns its number. Offsets in errors are relative to the token.
	number(token []byte, seal bool) (uint64, *wire.Error)

	sign(p parts, number uint64, token []byte)
	verify(p parts, number uint64, token []byte) bool
	seal(p parts, number uint64, token []byte)
	open(p parts, number uint64, token []byte) bool

	// clone returns a form with a key and ciphers of its own.
	clone() form
	// wipe overwrites the key and forgets the ciphers.
	wipe()
}

// parts are the pieces of a message in front of its token. header and trailer
// are empty when they are not signed; only body is encrypted.
type parts struct {
	header, body, trailer []byte
}

// NewStream returns the stream of what role from sends. key is the acceptor's
// subkey, else the initiator's, else the session key; acceptorSubkey says that
// it is the first of these. number is that of the first message.
//
// Headers are signed until SetHeaderSigning says otherwise. An encryption type
// or key size that is not supported gives class state.
func NewStream(key Key, from Role, acceptorSubkey bool, number uint64) (*Stream, error) {
	f, err := newForm(key, from, acceptorSubkey)
	if err != nil {
		return nil, err
	}
	mask := f.numberMask()
	return &Stream{form: f, sequence: number & mask, mask: mask, signHeader: true}, nil
}

func newForm(key Key, from Role, acceptorSubkey bool) (form, error) {
	if from != Initiator && from != Acceptor {
		return nil, wire.Errorf(wire.ClassState, "krb5_role", 0, "%d is no role", uint8(from))
	}
	e := encryptionTypeOf(key.Etype)
	if e == nil || len(key.Value) != e.keySize {
		return nil, wire.Errorf(wire.ClassState, "krb5_etype", 0,
			"no tokens for encryption type %d with a key of %d bytes", key.Etype, len(key.Value))
	}
	return e.newForm(e, key.Value, from, acceptorSubkey), nil
}

// SetHeaderSigning says whether checksums cover the PDU's header and security
// trailer besides its body.
func (s *Stream) SetHeaderSigning(on bool) { s.signHeader = on }

// Sequence returns the number of the next message.
func (s *Stream) Sequence() uint64 { return s.sequence }

// TokenSize returns the size of the token of a PDU that the caller makes; that
// of mechListMIC is TokenSize(false). Sealed tokens of other peers may be
// larger or smaller: Protect takes any size that Unprotect takes.
func (s *Stream) TokenSize(seal bool) int { return s.form.size(seal) }

// Allow lets the number of the next message lie up to n ahead of Sequence.
// Who does not see whether a peer has sent a mechListMIC calls Allow(1) before
// its first PDU.
func (s *Stream) Allow(n uint64) { s.slack = n }

// Skip advances the stream over one message that nobody looks at. The
// arguments are those that other mechanisms need: the size of its body, and
// whether it is sealed.
func (s *Stream) Skip(int, bool) {
	s.advance(s.sequence)
}

// Clone returns a stream in the same state that goes its own way.
func (s *Stream) Clone() *Stream {
	c := *s
	c.form = s.form.clone()
	return &c
}

// Wipe overwrites the stream's key. What package crypto has expanded from it
// is left to the garbage collector. A wiped stream gives class state.
func (s *Stream) Wipe() {
	s.form.wipe()
	s.failed = wire.Errorf(wire.ClassState, "krb5_wiped", 0, "the stream's key was wiped")
}

// Format prints the stream without its keys, whatever the verb.
func (s *Stream) Format(f fmt.State, _ rune) {
	if s == nil {
		_, _ = f.Write([]byte("<nil>"))
		return
	}
	_, _ = fmt.Fprintf(f, "krb5 stream at %d", s.sequence)
}

// Protect signs, and with seal encrypts, one PDU in place and writes its
// token. body is the offset of the protected body, trailer that of the
// security trailer; header, trailer and auth padding must be final. All bytes
// after the trailer are the token's: as many as TokenSize says, or as many as
// the token had that is replaced.
//
// A layout that does not fit gives class invalid and leaves PDU and stream as
// they were.
func (s *Stream) Protect(pdu []byte, body, trailer int, seal bool) error {
	if s.failed != nil {
		return s.failed
	}
	if err := checkLayout(pdu, body, trailer); err != nil {
		return err
	}
	token := pdu[trailer+trailerSize:]
	if !s.form.fits(len(token), seal) {
		return wire.Errorf(wire.ClassInvalid, "auth_length", trailer, "no token has %d bytes", len(token))
	}
	p := s.split(pdu, body, trailer)
	if seal {
		s.form.seal(p, s.sequence, token)
	} else {
		s.form.sign(p, s.sequence, token)
	}
	s.advance(s.sequence)
	return nil
}

// Unprotect verifies, and with seal decrypts, one PDU in place. After a
// failure (class auth) the PDU's body and token are undefined and the stream
// stays failed.
func (s *Stream) Unprotect(pdu []byte, body, trailer int, seal bool) error {
	if s.failed != nil {
		return s.failed
	}
	if err := checkLayout(pdu, body, trailer); err != nil {
		return err
	}
	at := trailer + trailerSize
	return s.accept(s.split(pdu, body, trailer), pdu[at:], at, seal)
}

// MIC writes the token of a SPNEGO mechanism list, which has TokenSize(false)
// bytes. It consumes a number.
func (s *Stream) MIC(message, token []byte) error {
	if s.failed != nil {
		return s.failed
	}
	if !s.form.fits(len(token), false) {
		return wire.Errorf(wire.ClassInvalid, "mech_list_mic", 0, "no token has %d bytes", len(token))
	}
	s.form.sign(parts{body: message}, s.sequence, token)
	s.advance(s.sequence)
	return nil
}

// VerifyMIC verifies what the peer's MIC made. A failure has class auth and
// is final.
func (s *Stream) VerifyMIC(message, token []byte) error {
	if s.failed != nil {
		return s.failed
	}
	return s.accept(parts{body: message}, token, 0, false)
}

// advance makes the number after that of the last message the next one.
func (s *Stream) advance(last uint64) {
	s.sequence = (last + 1) & s.mask
	s.slack = 0
}

// accept verifies the token of one message, which lies at offset at.
func (s *Stream) accept(p parts, token []byte, at int, seal bool) error {
	number, failure := s.examine(p, token, seal)
	if failure != nil {
		failure.Offset += at
		s.failed = failure
		return failure
	}
	s.advance(number)
	return nil
}

func (s *Stream) examine(p parts, token []byte, seal bool) (uint64, *wire.Error) {
	if !s.form.fits(len(token), seal) {
		return 0, wire.Errorf(wire.ClassAuth, "krb5_token_size", 0, "no token has %d bytes", len(token))
	}
	number, err := s.form.number(token, seal)
	if err != nil {
		return 0, err
	}
	if (number-s.sequence)&s.mask > s.slack {
		return 0, wire.Errorf(wire.ClassAuth, "krb5_sequence", 0, "number %d, expected %d", number, s.sequence)
	}
	check := s.form.verify
	if seal {
		check = s.form.open
	}
	if !check(p, number, token) {
		return 0, wire.Errorf(wire.ClassAuth, "krb5_checksum", 0, "checksum of message %d is wrong", number)
	}
	return number, nil
}

// split returns the pieces of a PDU whose layout is checked.
func (s *Stream) split(pdu []byte, body, trailer int) parts {
	p := parts{body: pdu[body:trailer]}
	if s.signHeader {
		p.header = pdu[:body]
		p.trailer = pdu[trailer : trailer+trailerSize]
	}
	return p
}

func checkLayout(pdu []byte, body, trailer int) error {
	if body < 0 || trailer < body || trailer > len(pdu)-trailerSize {
		return wire.Errorf(wire.ClassInvalid, "auth_length", trailer,
			"body at %d and trailer at %d of %d bytes", body, trailer, len(pdu))
	}
	return nil
}
