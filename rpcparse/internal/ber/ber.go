// Package ber splits the elements of BER and DER (X.690) off hostile bytes, as
// leniently as the ASN.1 readers of Samba and Heimdal do: identities are in
// tokens that peers read, in whatever form they were written.
//
// It reads lengths that are longer than needed, tags of small numbers in their
// long form, and pays no attention to bytes behind an element. It never
// allocates but for errors, never recurses, and every element takes at least two
// bytes. Contents are slices of the input.
package ber

import "github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"

// nameElement names errors of this package.
const nameElement = "ber_element"

// Bits of an identifier octet (X.690 8.1.2).
const (
	numberMask = 0x1f // all set: the number follows, seven bits in an octet
	moreOctets = 0x80
)

// TagOther stands for all tags whose number is too large for one octet. No
// message of Kerberos or SPNEGO has one.
const TagOther = 0x1f

// Element is one element: its tag as one octet, and its content.
type Element struct {
	Tag     byte
	Content []byte
}

// Next splits off the first element of b. An element that goes on behind the end
// of b gives class short.
func Next(b []byte) (e Element, rest []byte, err error) {
	tag, at := tagOf(b)
	if at >= len(b) {
		return Element{}, nil, wire.Short(nameElement, 0, len(b), at+1)
	}
	size, start, err := length(b, at)
	if err != nil {
		return Element{}, nil, err
	}
	if size > len(b)-start {
		return Element{}, nil, wire.Short(nameElement, start, len(b)-start, size)
	}
	end := start + size
	return Element{Tag: tag, Content: b[start:end:end]}, b[end:], nil
}

// tagOf reads the identifier octets and returns where the length starts.
func tagOf(b []byte) (tag byte, at int) {
	if len(b) == 0 {
		return 0, 0
	}
	if b[0]&numberMask != numberMask {
		return b[0], 1
	}
	number := 0
	for at = 1; at < len(b); at++ {
		number = min(number<<7|int(b[at]&^moreOctets), 1<<16)
		if b[at]&moreOctets == 0 {
			at++
			break
		}
	}
	if number >= numberMask {
		return TagOther, at
	}
	return b[0]&^numberMask | byte(number), at
}

// maxLength bounds a length: tokens sit in PDUs of at most 65535 bytes.
const maxLength = 1 << 24

// length reads the length octets at offset at and returns where the content
// starts. Any number of octets may say it. The indefinite form is refused, as
// DER has none.
func length(b []byte, at int) (size, start int, err error) {
	first := b[at]
	at++
	if first < moreOctets {
		return int(first), at, nil
	}
	octets := int(first &^ moreOctets)
	if octets == 0 {
		return 0, 0, wire.Errorf(wire.ClassInvalid, nameElement, at-1, "an indefinite length")
	}
	if octets > len(b)-at {
		return 0, 0, wire.Short(nameElement, at, len(b)-at, octets)
	}
	for _, c := range b[at : at+octets] {
		if size = size<<8 | int(c); size > maxLength {
			return 0, 0, wire.Errorf(wire.ClassInvalid, nameElement, at, "a length of more than %d bytes", maxLength)
		}
	}
	return size, at + octets, nil
}

// Inside returns the content of the first element of b, which must have the first
// of tags, of the first element in that, which must have the second, and so on.
func Inside(b []byte, tags ...byte) ([]byte, error) {
	for _, tag := range tags {
		e, _, err := Next(b)
		if err != nil {
			return nil, err
		}
		if e.Tag != tag {
			return nil, wire.Errorf(wire.ClassInvalid, nameElement, 0, "tag %#02x, expected %#02x", e.Tag, tag)
		}
		b = e.Content
	}
	return b, nil
}

// Missing returns how many bytes the first element of b lacks, as far as its head
// says; 0 if it is whole or cannot be read.
func Missing(b []byte) int {
	_, at := tagOf(b)
	if at >= len(b) {
		return at + 1 - len(b)
	}
	size, start, err := length(b, at)
	switch {
	case wire.ClassOf(err) == wire.ClassShort:
		return 1
	case err != nil:
		return 0
	}
	return max(0, start+size-len(b))
}
