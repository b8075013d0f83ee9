package ntlm

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// MessageType is the second field of every NTLM message.
type MessageType uint32

// The messages of a handshake.
const (
	TypeNegotiate    MessageType = 1
	TypeChallenge    MessageType = 2
	TypeAuthenticate MessageType = 3
)

// String returns the name of MS-NLMP.
func (t MessageType) String() string {
	switch t {
	case TypeNegotiate:
		return "NEGOTIATE"
	case TypeChallenge:
		return "CHALLENGE"
	case TypeAuthenticate:
		return "AUTHENTICATE"
	}
	return fmt.Sprintf("type(%d)", uint32(t))
}

// signature starts every message.
const signature = "NTLMSSP\x00"

const (
	messageHead = 12 // signature, message type
	fieldSize   = 8  // length u16, maximum length u16, offset u32
	versionSize = 8
)

// Type returns the type of an NTLM message; ok is false if token is none.
func Type(token []byte) (t MessageType, ok bool) {
	if len(token) < messageHead || !bytes.HasPrefix(token, []byte(signature)) {
		return 0, false
	}
	return MessageType(binary.LittleEndian.Uint32(token[8:])), true
}

// check demands a message of type want and at least size bytes.
func check(token []byte, want MessageType, size int) error {
	if len(token) < messageHead {
		return wire.Short("ntlm_message", 0, len(token), size)
	}
	t, ok := Type(token)
	if !ok {
		return wire.Errorf(wire.ClassInvalid, "ntlm_signature", 0, "not NTLMSSP")
	}
	if t != want {
		return wire.Errorf(wire.ClassInvalid, "ntlm_type", 8, "%v, expected %v", t, want)
	}
	if len(token) < size {
		return wire.Short("ntlm_message", 0, len(token), size)
	}
	return nil
}

// field returns the payload that the field descriptor at offset at names. An
// empty field is nil wherever it points. Fields may overlap each other and the
// fixed part: servers accept that, so it is no error here.
func field(token []byte, at int, name string) ([]byte, error) {
	length := uint64(binary.LittleEndian.Uint16(token[at:]))
	offset := uint64(binary.LittleEndian.Uint32(token[at+4:]))
	if length == 0 {
		return nil, nil
	}
	if offset+length > uint64(len(token)) {
		return nil, wire.Errorf(wire.ClassInvalid, name, at,
			"%d bytes at %d, message has %d", length, offset, len(token))
	}
	return token[offset : offset+length : offset+length], nil
}

// payload lays out the variable part of a message under construction.
type payload struct {
	fixed []byte
	data  []byte
}

// put writes the descriptor at offset at of the fixed part and keeps b for
// the payload.
func (p *payload) put(at int, name string, b []byte) error {
	if len(b) > 0xffff {
		return wire.Errorf(wire.ClassLimit, name, at, "%d bytes, at most 65535", len(b))
	}
	binary.LittleEndian.PutUint16(p.fixed[at:], uint16(len(b)))
	binary.LittleEndian.PutUint16(p.fixed[at+2:], uint16(len(b)))
	binary.LittleEndian.PutUint32(p.fixed[at+4:], uint32(len(p.fixed)+len(p.data)))
	p.data = append(p.data, b...)
	return nil
}

// newPayload starts a message of type t with a fixed part of size bytes.
func newPayload(t MessageType, size int) payload {
	p := payload{fixed: make([]byte, size)}
	copy(p.fixed, signature)
	binary.LittleEndian.PutUint32(p.fixed[8:], uint32(t))
	return p
}

// append appends the finished message to dst.
func (p *payload) append(dst []byte) []byte { return append(append(dst, p.fixed...), p.data...) }
