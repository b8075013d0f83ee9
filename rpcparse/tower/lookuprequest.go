package tower

import "github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"

// Inquiry types of ept_lookup (MS-RPCE 2.2.1.2.4).
const (
	InquireAll       uint32 = 0
	InquireInterface uint32 = 1
	InquireObject    uint32 = 2
	InquireBoth      uint32 = 3
)

// LookupRequest is the input of ept_lookup (MS-RPCE 2.2.1.2.4): which part of
// the endpoint mapper's list to enumerate.
type LookupRequest struct {
	Inquiry      uint32 // InquireAll, …
	HasObject    bool
	Object       wire.UUID
	HasInterface bool
	Interface    wire.SyntaxID
	VersOption   uint32 // which versions of Interface match: 1 all, 2 compatible, 3 exact, 4 major only, 5 up to
	Handle       Handle // not zero: more of an earlier answer
	MaxEntries   uint32 // how many entries the client takes, at most MaxTowers
}

// ParseLookupRequest decodes the whole stub of an ept_lookup request:
//
//	inquiry_type u32, word object referent, UUID if not NULL,
//	word interface referent, {UUID, major u16, minor u16} if not NULL,
//	vers_option u32, entry_handle 20, max_ents u32
//
// Behind it there may be a verification trailer.
func ParseLookupRequest(stub []byte, s Syntax, o wire.Order) (LookupRequest, error) {
	r := newReader(stub, s, o)
	l := LookupRequest{Inquiry: r.U32("inquiry_type")}
	object := r.Word("object_referent")
	if l.HasObject = object != 0; l.HasObject {
		l.Object = r.uuid("object")
	}
	iface := r.Word("interface_referent")
	if l.HasInterface = iface != 0; l.HasInterface {
		if iface == object {
			r.Fail(wire.ClassInvalid, "interface_referent", "the object's referent %#x, a pointer to something else", iface)
		}
		l.Interface = r.interfaceID()
	}
	l.VersOption = r.U32("vers_option")
	l.Handle = r.handle()
	if l.MaxEntries = r.U32("max_ents"); l.MaxEntries > MaxTowers {
		r.Fail(wire.ClassLimit, "max_ents", "%d, at most %d", l.MaxEntries, MaxTowers)
	}
	r.EndRequest()
	if r.Err != nil {
		return LookupRequest{}, r.Err
	}
	return l, nil
}

// interfaceID reads an rpc_if_id_t (MS-RPCE 2.2.1.2.1), whose version is two
// u16, unlike the one u32 of a p_syntax_id_t.
func (r *reader) interfaceID() wire.SyntaxID {
	id := wire.SyntaxID{UUID: r.uuid("interface")}
	major := r.U16("vers_major")
	minor := r.U16("vers_minor")
	id.Version = uint32(minor)<<16 | uint32(major)
	return id
}

// AppendLookupRequest appends the stub of l to dst.
func AppendLookupRequest(dst []byte, l LookupRequest, s Syntax, o wire.Order) ([]byte, error) {
	w := newWriter(dst, s, o)
	w.U32(l.Inquiry)
	w.pointer(l.HasObject)
	if l.HasObject {
		w.uuid(l.Object)
	}
	w.pointer(l.HasInterface)
	if l.HasInterface {
		w.uuid(l.Interface.UUID)
		w.U16(l.Interface.Major())
		w.U16(l.Interface.Minor())
	}
	w.U32(l.VersOption)
	w.handle(l.Handle)
	w.U32(l.MaxEntries)
	return w.Done()
}
