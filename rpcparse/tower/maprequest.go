package tower

import "github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"

// MapRequest is the input of ept_map (MS-RPCE 2.2.1.2.5): a tower with the
// interface, transfer syntax and protocols the client wants, and no port.
type MapRequest struct {
	HasObject bool
	Object    wire.UUID // the nil UUID, or none at all, in all usual requests
	Tower     []byte    // octets of the tower asked for, part of the stub; nil if NULL
	Handle    Handle    // not zero: more of an earlier answer
	MaxTowers uint32    // how many towers the client takes, at most MaxTowers
}

// ParseMapRequest decodes the whole stub of an ept_map request:
//
//	word object referent, UUID if not NULL, word tower referent,
//	{word max, u32 length, octets} if not NULL, entry_handle 20, max_towers u32
//
// Behind it there may be a verification trailer. The tower itself is not parsed.
func ParseMapRequest(stub []byte, s Syntax, o wire.Order) (MapRequest, error) {
	r := newReader(stub, s, o)
	var m MapRequest
	object := r.Word("object_referent")
	if m.HasObject = object != 0; m.HasObject {
		m.Object = r.uuid("object")
	}
	if asked := r.Word("tower_referent"); asked != 0 {
		if asked == object {
			r.Fail(wire.ClassInvalid, "tower_referent", "the object's referent %#x, a pointer to something else", asked)
		}
		m.Tower, _ = r.tower().octets(stub)
	}
	m.Handle = r.handle()
	if m.MaxTowers = r.U32("max_towers"); m.MaxTowers > MaxTowers {
		r.Fail(wire.ClassLimit, "max_towers", "%d, at most %d", m.MaxTowers, MaxTowers)
	}
	r.EndRequest()
	if r.Err != nil {
		return MapRequest{}, r.Err
	}
	return m, nil
}

// AppendMapRequest appends the stub of m to dst. The error is [wire.ClassLimit]
// if the tower is over MaxOctets.
func AppendMapRequest(dst []byte, m MapRequest, s Syntax, o wire.Order) ([]byte, error) {
	w := newWriter(dst, s, o)
	w.pointer(m.HasObject)
	if m.HasObject {
		w.uuid(m.Object)
	}
	w.pointer(m.Tower != nil)
	if m.Tower != nil {
		w.tower(m.Tower)
	}
	w.handle(m.Handle)
	w.U32(m.MaxTowers)
	return w.Done()
}
