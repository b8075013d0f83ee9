package rfri

import (
	"bytes"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/ndr"
	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// Name is a string behind one unique pointer, or behind two, as it is on the
// wire. The zero value is NULL.
type Name struct {
	Outer uint64 // referent id of the pointer to the pointer, where there are two; 0: NULL
	Inner uint64 // referent id of the pointer to the string; 0: NULL
	Max   uint64 // maximum count of bytes; append raises it to what Text needs
	Text  string // without the NUL
}

// The referent ids that Windows begins with.
const (
	firstReferent  = 0x00020000
	secondReferent = 0x00020004
)

// NewName returns a name that is there, for either kind of parameter.
func NewName(text string) Name { return Name{Outer: firstReferent, Inner: secondReferent, Text: text} }

// Present reports whether there is a string, which may be empty.
func (n Name) Present() bool { return n.Inner != 0 }

// Rename replaces the string of a name that is present. The pointers stay.
func (n *Name) Rename(text string) { n.Max, n.Text = 0, text }

// reader walks a stub of RFRI.
type reader struct{ ndr.Reader }

func newReader(stub []byte, s Syntax, o wire.Order) *reader {
	return &reader{ndr.NewReader(stub, s, o)}
}

// text reads a NUL-terminated conformant varying string (C706 14.3.4.2) of at
// most limit bytes.
func (r *reader) text(field string, limit int) (most uint64, s string) {
	maxCount := r.Count(field, limit)
	if offset := r.Word(field); offset != 0 {
		r.Fail(wire.ClassInvalid, field, "it begins at %d, expected 0", offset)
	}
	actual := r.Count(field, limit)
	if actual > maxCount {
		r.Fail(wire.ClassInvalid, field, "%d bytes of at most %d", actual, maxCount)
	}
	b := r.Bytes(actual, field)
	end := bytes.IndexByte(b, 0)
	if r.Err == nil && (end < 0 || end != len(b)-1) {
		r.Fail(wire.ClassInvalid, field, "no string: of %d bytes the first NUL is at %d", actual, end)
	}
	if r.Err != nil {
		return 0, ""
	}
	return uint64(maxCount), string(b[:end])
}

// name reads a name behind one pointer.
func (r *reader) name(field string, limit int) (n Name) {
	if n.Inner = r.Word(field); n.Inner != 0 {
		n.Max, n.Text = r.text(field, limit)
	}
	return n
}

// nested reads a name behind two pointers.
func (r *reader) nested(field string, limit int) (n Name) {
	outer := r.Word(field)
	if outer != 0 {
		n = r.name(field, limit)
	}
	n.Outer = outer
	return n
}

// writer appends a stub of RFRI.
type writer struct{ ndr.Writer }

func newWriter(dst []byte, s Syntax, o wire.Order) *writer {
	return &writer{ndr.NewWriter(dst, s, o)}
}

func (w *writer) text(field string, most uint64, s string, limit int) {
	n := len(s) + 1
	w.Limit(field, n, limit)
	w.Limit(field, int(min(most, uint64(limit)+1)), limit)
	w.Word(max(most, uint64(n)))
	w.Word(0)
	w.Word(uint64(n))
	w.Dst = append(append(w.Dst, s...), 0)
}

// pointer writes a referent id. One that would read as NULL is replaced.
func (w *writer) pointer(referent uint64) {
	if referent != 0 && w.Syntax == NDR && uint32(referent) == 0 {
		referent = firstReferent
	}
	w.Word(referent)
}

func (w *writer) name(field string, n Name, limit int) {
	if w.pointer(n.Inner); n.Inner != 0 {
		w.text(field, n.Max, n.Text, limit)
	}
}

func (w *writer) nested(field string, n Name, limit int) {
	if w.pointer(n.Outer); n.Outer != 0 {
		w.name(field, n, limit)
	}
}
