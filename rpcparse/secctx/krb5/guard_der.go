package krb5

import "github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"

// Limits of the DER that libraries may see: replies of KDCs, and KRB-ERRORs. They
// nest eight deep and have about sixty elements; what is encrypted in them is an
// OCTET STRING and counts as one. Libraries allocate some 200 bytes for one.
const (
	maxDERDepth    = 16
	maxDERElements = 1024
)

// nameDER names errors of the DER guard.
const nameDER = "kerberos_der"

// Parts of an identifier octet and of lengths (X.690 8.1).
const (
	derConstructed = 0x20
	derTagMask     = 0x1f // all set: the tag goes on in further octets
	derIndefinite  = 0x80
)

// derWalk reads elements as servers do and writes them down again as a library
// wants them.
type derWalk struct {
	b        []byte
	what     string
	elements int
}

// canonical returns the first element of b with every length in its shortest
// form. Servers (Heimdal's library for one) take longer and indefinite lengths,
// and bytes behind the element; what the element says is the same. It refuses
// elements that end beyond their container, tags of several octets, and more of
// anything than the limits allow.
func canonical(b []byte, what string) ([]byte, error) {
	if len(b) > maxMessage {
		return nil, wire.Errorf(wire.ClassLimit, nameDER, 0, "the %s has %d bytes, at most %d", what, len(b), maxMessage)
	}
	w := derWalk{b: b, what: what}
	out, _, err := w.element(make([]byte, 0, len(b)), 0, len(b), 1)
	return out, err
}

// element appends the element at offset at, which must end by limit, to dst. It
// returns where the element ends. Every call consumes at least two bytes.
func (w *derWalk) element(dst []byte, at, limit, depth int) (out []byte, end int, err error) {
	if depth > maxDERDepth {
		return nil, 0, wire.Errorf(wire.ClassLimit, nameDER, at, "the %s nests deeper than %d", w.what, maxDERDepth)
	}
	if w.elements++; w.elements > maxDERElements {
		return nil, 0, wire.Errorf(wire.ClassLimit, nameDER, at, "the %s has more than %d elements", w.what, maxDERElements)
	}
	if limit-at < 2 {
		return nil, 0, w.invalid(at, "an element of %d bytes", limit-at)
	}
	tag := w.b[at]
	if tag&derTagMask == derTagMask {
		return nil, 0, w.invalid(at, "a tag of several octets")
	}
	if w.b[at+1] == derIndefinite {
		return w.indefinite(dst, at, limit, depth)
	}
	start, size, err := w.length(at+1, limit)
	if err != nil {
		return nil, 0, err
	}
	if size > limit-start {
		return nil, 0, w.invalid(at, "%d bytes of content, %d left", size, limit-start)
	}
	end = start + size
	if tag&derConstructed == 0 {
		return append(appendDERHead(dst, tag, size), w.b[start:end]...), end, nil
	}
	var content []byte
	for at = start; at < end; {
		if content, at, err = w.element(content, at, end, depth+1); err != nil {
			return nil, 0, err
		}
	}
	return append(appendDERHead(dst, tag, len(content)), content...), end, nil
}

// indefinite is element for a constructed one that ends with two zero octets.
func (w *derWalk) indefinite(dst []byte, at, limit, depth int) (out []byte, end int, err error) {
	tag := w.b[at]
	if tag&derConstructed == 0 {
		return nil, 0, w.invalid(at, "an indefinite length of a primitive element")
	}
	var content []byte
	for end = at + 2; ; {
		if limit-end < 2 {
			return nil, 0, w.invalid(at, "an indefinite length without an end")
		}
		if w.b[end] == 0 && w.b[end+1] == 0 {
			return append(appendDERHead(dst, tag, len(content)), content...), end + 2, nil
		}
		if content, end, err = w.element(content, end, limit, depth+1); err != nil {
			return nil, 0, err
		}
	}
}

// length reads a definite length, with as many zeros in front as its sender likes,
// and returns where the content starts.
func (w *derWalk) length(at, limit int) (start, size int, err error) {
	first := int(w.b[at])
	if first < 0x80 {
		return at + 1, first, nil
	}
	octets := first & 0x7f
	if octets == 0 {
		return 0, 0, w.invalid(at, "a length of form %#x", first)
	}
	if limit-at-1 < octets {
		return 0, 0, w.invalid(at, "a length that is cut off")
	}
	for _, c := range w.b[at+1 : at+1+octets] {
		if size = size<<8 | int(c); size > maxMessage {
			return 0, 0, w.invalid(at, "a length of more than %d", maxMessage)
		}
	}
	return at + 1 + octets, size, nil
}

func (w *derWalk) invalid(at int, format string, args ...any) error {
	return wire.Errorf(wire.ClassInvalid, nameDER, at, "the "+w.what+": "+format, args...)
}

// appendDERHead appends a tag and the shortest form of a length.
func appendDERHead(dst []byte, tag byte, size int) []byte {
	switch {
	case size < 0x80:
		return append(dst, tag, byte(size))
	case size < 0x100:
		return append(dst, tag, 0x81, byte(size))
	}
	return append(dst, tag, 0x82, byte(size>>8), byte(size)) // maxMessage has no more
}
