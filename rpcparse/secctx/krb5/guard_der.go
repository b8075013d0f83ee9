package krb5

import "github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"

// Limits of the DER that libraries may see. A ticket of Active Directory nests
// eight deep and has about sixty elements; its authorization data is an OCTET
// STRING and counts as one.
const (
	maxDERDepth    = 16
	maxDERElements = 1024
)

// nameDER names errors of the DER guard.
const nameDER = "kerberos_der"

// Bits of an identifier octet (X.690 8.1.2).
const (
	derConstructed = 0x20
	derTagMask     = 0x1f // all set: the tag goes on in further octets
)

// derWalk checks that elements nest within each other and within limits.
type derWalk struct {
	b        []byte
	what     string
	elements int
}

// checkDER walks one element that fills b. It refuses what no Kerberos
// implementation sends: indefinite and overlong lengths, tags of several
// octets, elements that end beyond their container, trailing bytes.
func checkDER(b []byte, what string) error {
	if len(b) > maxMessage {
		return wire.Errorf(wire.ClassLimit, nameDER, 0, "the %s has %d bytes, at most %d", what, len(b), maxMessage)
	}
	w := derWalk{b: b, what: what}
	end, err := w.element(0, len(b), 1)
	if err != nil {
		return err
	}
	if end != len(b) {
		return w.invalid(end, "%d bytes behind the end", len(b)-end)
	}
	return nil
}

// element checks the element at offset at, which must end by limit, and
// returns where it ends. Every call consumes at least two bytes.
func (w *derWalk) element(at, limit, depth int) (end int, err error) {
	if depth > maxDERDepth {
		return 0, wire.Errorf(wire.ClassLimit, nameDER, at, "the %s nests deeper than %d", w.what, maxDERDepth)
	}
	if w.elements++; w.elements > maxDERElements {
		return 0, wire.Errorf(wire.ClassLimit, nameDER, at, "the %s has more than %d elements", w.what, maxDERElements)
	}
	if limit-at < 2 {
		return 0, w.invalid(at, "an element of %d bytes", limit-at)
	}
	tag := w.b[at]
	if tag&derTagMask == derTagMask {
		return 0, w.invalid(at, "a tag of several octets")
	}
	start, size, err := w.length(at+1, limit)
	if err != nil {
		return 0, err
	}
	if size > limit-start {
		return 0, w.invalid(at, "%d bytes of content, %d left", size, limit-start)
	}
	end = start + size
	if tag&derConstructed == 0 {
		return end, nil
	}
	for at = start; at < end; {
		if at, err = w.element(at, end, depth+1); err != nil {
			return 0, err
		}
	}
	return end, nil
}

// length reads a definite length of at most three octets and returns where
// the content starts.
func (w *derWalk) length(at, limit int) (start, size int, err error) {
	first := int(w.b[at])
	if first < 0x80 {
		return at + 1, first, nil
	}
	octets := first & 0x7f
	if octets == 0 || octets > 3 {
		return 0, 0, w.invalid(at, "a length of form %#x", first)
	}
	if limit-at-1 < octets {
		return 0, 0, w.invalid(at, "a length that is cut off")
	}
	for _, c := range w.b[at+1 : at+1+octets] {
		size = size<<8 | int(c)
	}
	return at + 1 + octets, size, nil
}

func (w *derWalk) invalid(at int, format string, args ...any) error {
	return wire.Errorf(wire.ClassInvalid, nameDER, at, "the "+w.what+": "+format, args...)
}
