package ntlm

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/rc4"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"hash"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// TokenSize is the size of the token that protects a PDU, at every level.
const TokenSize = 16

// trailerSize is the size of the security trailer in front of a token.
const trailerSize = 8

// tokenVersion starts every token (MS-NLMP 2.2.2.9.1).
const tokenVersion = 1

// DummyToken is what clients put into the verifiers of level CONNECT, where
// nothing is protected.
var DummyToken = [TokenSize]byte{tokenVersion}

// Side is the end of a connection that a message comes from.
type Side bool

// The two ends.
const (
	FromClient Side = false
	FromServer Side = true
)

func (s Side) magic() string {
	if s == FromServer {
		return "server-to-client"
	}
	return "client-to-server"
}

// Stream is one direction of a security context: its keys, key stream and
// sequence number. It is not safe for concurrent use.
//
// Every protected fragment of a request or response advances it by one,
// handshake PDUs and faults do not. A fragment skipped or added on one end
// only breaks it for good.
type Stream struct {
	mac         hash.Hash
	cipher      *rc4.Cipher
	signKey     [16]byte
	sealKey     [16]byte
	seq         uint32
	skipped     int // bytes of key stream that skipped PDUs have used up
	keyExchange bool
	failed      error // the first failure; a stream does not recover

	scratch [TokenSize]byte
	seqLE   [4]byte
}

// NewStream returns the stream of what the given side sends. Extended session
// security is required.
func NewStream(key Key, flags Flags, from Side) (*Stream, error) {
	if !flags.Has(FlagExtendedSessionSecurity) {
		return nil, wire.Errorf(wire.ClassState, "ntlm_dialect", 0, "no extended session security")
	}
	sign, seal := directionKeys(key, flags, from)
	s := &Stream{signKey: sign, sealKey: seal, keyExchange: flags.Has(FlagKeyExchange)}
	s.mac = s.newMAC()
	s.rewind()
	return s, nil
}

func (s *Stream) newMAC() hash.Hash { return hmac.New(md5.New, s.signKey[:]) }

// rewind puts the key stream back to its start.
func (s *Stream) rewind() {
	c, err := rc4.NewCipher(s.sealKey[:])
	if err != nil {
		panic(err) // a key of 16 bytes is always valid
	}
	s.cipher, s.skipped = c, 0
}

// Format prints the stream without its keys, whatever the verb.
func (s *Stream) Format(f fmt.State, _ rune) {
	if s == nil {
		_, _ = f.Write([]byte("<nil>"))
		return
	}
	_, _ = fmt.Fprintf(f, "NTLM stream at %d", s.seq)
}

// Sequence returns the number of the next message.
func (s *Stream) Sequence() uint32 { return s.seq }

// Protect signs, and with seal encrypts, one PDU in place and writes its
// token. body is the offset of the protected body, trailer that of the
// security trailer; header, trailer and auth padding must be final and exactly
// TokenSize bytes follow the trailer.
func (s *Stream) Protect(pdu []byte, body, trailer int, seal bool) error {
	if err := s.check(pdu, body, trailer); err != nil {
		return err
	}
	token := pdu[trailer+trailerSize:]
	s.sum(pdu[:trailer+trailerSize])
	if seal {
		s.cipher.XORKeyStream(pdu[body:trailer], pdu[body:trailer])
	}
	s.finish(token)
	return nil
}

// Unprotect verifies, and with seal decrypts, one PDU in place. After a
// failure (class auth) the PDU's body is undefined and the stream stays
// failed.
func (s *Stream) Unprotect(pdu []byte, body, trailer int, seal bool) error {
	if err := s.check(pdu, body, trailer); err != nil {
		return err
	}
	if seal {
		s.cipher.XORKeyStream(pdu[body:trailer], pdu[body:trailer])
	}
	s.sum(pdu[:trailer+trailerSize])
	return s.verify(pdu[trailer+trailerSize:], trailer+trailerSize)
}

func (s *Stream) check(pdu []byte, body, trailer int) error {
	if s.failed != nil {
		return s.failed
	}
	if body < 0 || trailer < body || len(pdu) != trailer+trailerSize+TokenSize {
		return wire.Errorf(wire.ClassInvalid, "auth_length", trailer,
			"%d bytes after the trailer, expected %d", len(pdu)-trailer-trailerSize, TokenSize)
	}
	s.catchUp()
	return nil
}

// sum computes the checksum of message under the current number, into scratch.
func (s *Stream) sum(message []byte) {
	putSequence(s.seqLE[:], s.seq)
	s.mac.Reset()
	s.mac.Write(s.seqLE[:])
	s.mac.Write(message)
	s.mac.Sum(s.scratch[:0])
}

// finish makes the token for the checksum in scratch and advances the stream.
func (s *Stream) finish(token []byte) {
	if s.keyExchange {
		s.cipher.XORKeyStream(s.scratch[:8], s.scratch[:8])
	}
	binary.LittleEndian.PutUint32(token, tokenVersion)
	copy(token[4:12], s.scratch[:8])
	putSequence(token[12:], s.seq)
	s.seq++
}

// verify compares token with the one that finish would make.
func (s *Stream) verify(token []byte, at int) error {
	var want [TokenSize]byte
	got := binary.LittleEndian.Uint32(token[12:])
	expected := s.seq
	s.finish(want[:])
	if subtle.ConstantTimeCompare(want[:], token[:TokenSize]) == 1 {
		return nil
	}
	if got != expected {
		s.failed = wire.Errorf(wire.ClassAuth, "ntlm_sequence", at+12, "number %d, expected %d", got, expected)
	} else {
		s.failed = wire.Errorf(wire.ClassAuth, "ntlm_checksum", at, "checksum of message %d is wrong", got)
	}
	return s.failed
}

// ListMIC signs a SPNEGO mechanism list. It consumes a sequence number and
// puts the key stream back to its start (MS-SPNG 3.3.5.1).
func (s *Stream) ListMIC(mechTypes []byte) (token [TokenSize]byte) {
	s.sum(mechTypes)
	s.finish(token[:])
	s.rewind()
	return token
}

// VerifyListMIC verifies what the peer's ListMIC made.
func (s *Stream) VerifyListMIC(mechTypes, token []byte) error {
	if s.failed != nil {
		return s.failed
	}
	if len(token) != TokenSize {
		return wire.Errorf(wire.ClassInvalid, "mech_list_mic", 0, "%d bytes, expected %d", len(token), TokenSize)
	}
	s.sum(mechTypes)
	defer s.rewind()
	return s.verify(token, 0)
}

// Session is one end's view of an established security context.
type Session struct {
	Send, Receive *Stream
}

// NewSession returns the view of the end self.
func NewSession(key Key, flags Flags, self Side) (*Session, error) {
	send, err := NewStream(key, flags, self)
	if err != nil {
		return nil, err
	}
	receive, err := NewStream(key, flags, !self)
	if err != nil {
		return nil, err
	}
	return &Session{Send: send, Receive: receive}, nil
}
