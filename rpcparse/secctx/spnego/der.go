package spnego

import "github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"

// The DER tags that occur in SPNEGO tokens.
const (
	tagOctetString = 0x04
	tagOID         = 0x06
	tagEnumerated  = 0x0a
	tagSequence    = 0x30
	tagApplication = 0x60 // [APPLICATION 0], the GSS-API frame (RFC 2743 3.1)
	tagContext0    = 0xa0
	tagContext1    = 0xa1
	tagContext2    = 0xa2
	tagContext3    = 0xa3
	tagContext4    = 0xa4
)

// maxLength bounds a length: a token sits in a PDU of at most 65535 bytes. Its
// sender may put zeros in front of it, which peers read.
const maxLength = 65535

// reader walks the DER elements of one container. It never recurses: to
// enter an element, a new reader is made from its content.
type reader struct {
	b   []byte
	off int // offset of b[0] in the whole token, for errors
	top bool
}

// more reports whether another element follows.
func (r *reader) more() bool { return len(r.b) > 0 }

// peek returns the tag of the next element, or 0 at the end.
func (r *reader) peek() byte {
	if len(r.b) == 0 {
		return 0
	}
	return r.b[0]
}

// next reads one element and returns its tag and a reader for its content.
func (r *reader) next() (byte, reader, error) {
	if len(r.b) < 2 {
		return 0, reader{}, r.overrun(len(r.b), 2)
	}
	tag := r.b[0]
	if tag&0x1f == 0x1f {
		return 0, reader{}, wire.Errorf(wire.ClassInvalid, "der_tag", r.off, "multi-byte tag")
	}
	head, length, err := r.length()
	if err != nil {
		return 0, reader{}, err
	}
	if length > len(r.b)-head {
		return 0, reader{}, r.overrun(len(r.b)-head, length)
	}
	content := reader{b: r.b[head : head+length : head+length], off: r.off + head}
	r.b, r.off = r.b[head+length:], r.off+head+length
	return tag, content, nil
}

// length decodes the length octets after the tag: the size of tag and length
// together, and the length itself.
func (r *reader) length() (head, length int, err error) {
	first := r.b[1]
	if first < 0x80 {
		return 2, int(first), nil
	}
	n := max(1, int(first&0x7f)) // Samba's asn1.c reads the indefinite form (80) as one octet
	if len(r.b) < 2+n {
		return 0, 0, r.overrun(len(r.b), 2+n)
	}
	for _, b := range r.b[2 : 2+n] {
		if length = length<<8 | int(b); length > maxLength {
			return 0, 0, wire.Errorf(wire.ClassInvalid, "der_length", r.off+1, "a length of more than %d", maxLength)
		}
	}
	return 2 + n, length, nil
}

// overrun reports an element longer than what is left: more bytes may help
// the outermost one only.
func (r *reader) overrun(have, need int) error {
	if r.top {
		return wire.Short("der_element", r.off, have, need)
	}
	return wire.Errorf(wire.ClassInvalid, "der_element", r.off,
		"%d bytes left in its container, need %d", have, need)
}

// expect reads the next element, which must carry tag.
func (r *reader) expect(tag byte, name string) (reader, error) {
	at := r.off
	got, content, err := r.next()
	if err != nil {
		return reader{}, err
	}
	if got != tag {
		return reader{}, wire.Errorf(wire.ClassInvalid, name, at, "tag %#02x, expected %#02x", got, tag)
	}
	return content, nil
}

// appendHead appends a tag and the shortest form of length.
func appendHead(dst []byte, tag byte, length int) []byte {
	switch {
	case length < 0x80:
		return append(dst, tag, byte(length))
	case length < 0x100:
		return append(dst, tag, 0x81, byte(length))
	case length < 0x10000:
		return append(dst, tag, 0x82, byte(length>>8), byte(length))
	}
	return append(dst, tag, 0x83, byte(length>>16), byte(length>>8), byte(length))
}

// appendElement appends one whole element.
func appendElement(dst []byte, tag byte, content []byte) []byte {
	return append(appendHead(dst, tag, len(content)), content...)
}
