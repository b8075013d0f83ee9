package tower

import (
	"bytes"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// LookupResponse is what [WalkLookupResponse] found in an answer to ept_lookup
// (MS-RPCE 2.2.1.2.4).
type LookupResponse struct {
	Handle  Handle // not zero: the client may ask again with it for more
	Max     int    // entries there was room for: the max_ents of the request
	Entries []Entry
	Towers  []TowerRef // every tower once, in the order of their octets
	Status  uint32     // StatusOK; StatusNotRegistered after the last entry
}

// Entry is one registration (MS-RPCE 2.2.1.2.3, ept_entry_t).
type Entry struct {
	Object     wire.UUID
	Tower      int    // index in Towers, -1 for NULL; several entries may share one
	Annotation []byte // without its NUL; part of the stub
}

// WalkLookupResponse finds the entries and towers in the whole stub of an
// ept_lookup response. The layout, with words of 4 bytes in NDR and 8 in NDR64,
// aligned to their size:
//
//	entry_handle 20, num_ents u32, word max, word 0, word num,
//	num × {UUID, word referent, word 0, word length, annotation; aligned to a word},
//	per distinct referent {word max, u32 length, octets},
//	status u32
//
// The towers themselves are not parsed. The error is [wire.ClassShort] if the
// stub ends too early.
func WalkLookupResponse(stub []byte, s Syntax, o wire.Order) (LookupResponse, error) {
	r := newReader(stub, s, o)
	l := LookupResponse{Handle: r.handle()}
	num := r.U32("num_ents")
	most, n := r.array(num, wire.UUIDSize+3*s.WordSize())
	l.Max = most
	l.Entries = make([]Entry, 0, n)
	referents := make([]uint64, 0, n)
	for i := 0; i < n && r.Err == nil; i++ {
		e, referent := r.entry()
		l.Entries = append(l.Entries, e)
		referents = append(referents, referent)
	}
	var b bodies
	for i := 0; i < n && r.Err == nil; i++ {
		l.Entries[i].Tower = b.resolve(r, referents[i])
	}
	l.Status = r.status()
	if r.Err != nil {
		return LookupResponse{}, r.Err
	}
	l.Towers = b.towers
	return l, nil
}

// entry reads an ept_entry_t, whose tower comes after all entries. The annotation
// is a varying string: offset, length with the NUL, characters.
func (r *reader) entry() (e Entry, referent uint64) {
	r.Align(r.Syntax.WordSize())
	e.Object = r.uuid("object")
	referent = r.Word("tower_referent")
	if offset := r.Word("annotation_offset"); offset != 0 {
		r.Fail(wire.ClassInvalid, "annotation_offset", "%d, expected 0", offset)
	}
	n := r.Count("annotation_length", MaxAnnotation)
	e.Annotation = r.Bytes(n, "annotation")
	if end := bytes.IndexByte(e.Annotation, 0); end >= 0 {
		e.Annotation = e.Annotation[:end]
	}
	return e, referent
}

// LookupAnswer is what a server says in an answer to ept_lookup.
type LookupAnswer struct {
	Handle  Handle
	Max     uint32 // the max_ents of the request; at least len(Entries)
	Entries []AnswerEntry
	Status  uint32
}

// AnswerEntry is one registration in a [LookupAnswer].
type AnswerEntry struct {
	Object     wire.UUID
	Tower      []byte // octets; nil for NULL
	Annotation string // without a NUL, shorter than MaxAnnotation
}

// AppendLookupResponse appends the stub of an ept_lookup response to dst. The
// error is [wire.ClassLimit] if a tower or annotation is too long, Max over
// MaxTowers or there are more entries than Max.
func AppendLookupResponse(dst []byte, a LookupAnswer, s Syntax, o wire.Order) ([]byte, error) {
	w := newWriter(dst, s, o)
	w.handle(a.Handle)
	w.U32(uint32(len(a.Entries)))
	w.array(a.Max, len(a.Entries))
	w.last = firstAnswerReferent - 1
	for _, e := range a.Entries {
		w.entry(e)
	}
	for _, e := range a.Entries {
		if e.Tower != nil {
			w.tower(e.Tower)
		}
	}
	w.U32(a.Status)
	return w.Done()
}

func (w *writer) entry(e AnswerEntry) {
	w.Limit("annotation_length", len(e.Annotation)+1, MaxAnnotation)
	w.Align(w.Syntax.WordSize())
	w.uuid(e.Object)
	w.pointer(e.Tower != nil)
	w.Word(0)
	w.Word(uint64(len(e.Annotation) + 1))
	w.Dst = append(append(w.Dst, e.Annotation...), 0)
}
