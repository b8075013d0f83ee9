// Package ber splits the elements of BER and DER (X.690) off hostile bytes, as
// leniently as the ASN.1 readers of Samba and Heimdal do: identities are in
// tokens that peers read, in whatever form they were written.
//
// It reads lengths that are longer than needed or indefinite, tags of small
// numbers in their long form, and pays no attention to bytes behind an element. It
// allocates for errors only, and every element takes at least two bytes. Contents
// are slices of the input.
package ber

import "github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"

// nameElement names errors of this package.
const nameElement = "ber_element"

// Parts of identifier and length octets (X.690 8.1).
const (
	constructed = 0x20
	numberMask  = 0x1f // all set: the number follows, seven bits in an octet
	moreOctets  = 0x80
	indefinite  = 0x80
)

// TagOther stands for all tags whose number is too large for one octet. No
// message of Kerberos or SPNEGO has one.
const TagOther = 0x1f

// Element is one element: its tag as one octet, and its content.
type Element struct {
	Tag     byte
	Content []byte
}

// maxDepth is how deep elements of indefinite length may hold each other. A ticket
// of Active Directory nests eight deep.
const maxDepth = 16

// Next splits off the first element of b. An element that goes on behind the end
// of b gives class short.
func Next(b []byte) (Element, []byte, error) { return next(b, maxDepth) }

func next(b []byte, depth int) (e Element, rest []byte, err error) {
	tag, at := tagOf(b)
	if at >= len(b) {
		return Element{}, nil, wire.Short(nameElement, 0, len(b), at+1)
	}
	if b[at] == indefinite && tag&constructed != 0 {
		return untilEnd(tag, b[at+1:], depth)
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

// untilEnd splits off an element of indefinite length, whose content b begins with:
// it ends with two zero octets (X.690 8.1.3.6).
func untilEnd(tag byte, b []byte, depth int) (Element, []byte, error) {
	if depth == 0 {
		return Element{}, nil, wire.Errorf(wire.ClassLimit, nameElement, 0, "indefinite lengths nest deeper than %d", maxDepth)
	}
	for rest := b; ; {
		if len(rest) < 2 {
			return Element{}, nil, wire.Short(nameElement, len(b)-len(rest), len(rest), 2)
		}
		if rest[0] == 0 && rest[1] == 0 {
			end := len(b) - len(rest)
			return Element{Tag: tag, Content: b[:end:end]}, rest[2:], nil
		}
		var err error
		if _, rest, err = next(rest, depth-1); err != nil {
			return Element{}, nil, err
		}
	}
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
// starts. Any number of octets may say it.
func length(b []byte, at int) (size, start int, err error) {
	first := b[at]
	at++
	if first < moreOctets {
		return int(first), at, nil
	}
	octets := int(first &^ moreOctets)
	if octets == 0 {
		return 0, 0, wire.Errorf(wire.ClassInvalid, nameElement, at-1, "an indefinite length of a primitive element")
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
