package rfri

import "github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"

// FQDNRequest is the input of RfrGetFQDNFromServerDN (MS-OXABREF 3.1.4.2): what
// is the DNS name of this mailbox server?
type FQDNRequest struct {
	Flags    uint32 // ignored
	Size     uint32 // cbMailboxServerDN, the room for ServerDN with its NUL; append raises it to what is needed
	ServerDN string
}

// ParseFQDNRequest decodes the whole stub of an RfrGetFQDNFromServerDN request.
// Behind it there may be a verification trailer.
func ParseFQDNRequest(stub []byte, s Syntax, o wire.Order) (FQDNRequest, error) {
	r := newReader(stub, s, o)
	q := FQDNRequest{Flags: r.U32("flags"), Size: r.U32("size")}
	if q.Size < MinDN || q.Size > MaxDN {
		r.Fail(wire.ClassLimit, "size", "%d, from %d to %d", q.Size, MinDN, MaxDN)
	}
	most, dn := r.text("server_dn", MaxDN)
	if most != uint64(q.Size) {
		r.Fail(wire.ClassInvalid, "server_dn", "room for %d bytes, announced as %d", most, q.Size)
	}
	q.ServerDN = dn
	if r.EndRequest(); r.Err != nil {
		return FQDNRequest{}, r.Err
	}
	return q, nil
}

// AppendFQDNRequest appends the stub of q to dst. NDR64 is written little-endian
// whatever o says. The error is [wire.ClassLimit] if the DN is too long or Size
// out of its range.
func AppendFQDNRequest(dst []byte, q FQDNRequest, s Syntax, o wire.Order) ([]byte, error) {
	size := max(q.Size, MinDN, uint32(min(len(q.ServerDN), MaxDN)+1))
	w := newWriter(dst, s, o)
	w.U32(q.Flags)
	w.U32(size)
	w.text("server_dn", uint64(size), q.ServerDN, MaxDN)
	return w.Done()
}
