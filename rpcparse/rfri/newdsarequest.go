package rfri

import "github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"

// NewDSARequest is the input of RfrGetNewDSA (MS-OXABREF 3.1.4.1): which NSPI
// server is for this user?
type NewDSARequest struct {
	Flags  uint32 // ignored
	UserDN string // may be empty
	Unused Name   // behind two pointers; NULL in all usual requests
	Server Name   // behind two pointers; room for the answer
}

// ParseNewDSARequest decodes the whole stub of an RfrGetNewDSA request. Behind
// it there may be a verification trailer.
func ParseNewDSARequest(stub []byte, s Syntax, o wire.Order) (NewDSARequest, error) {
	r := newReader(stub, s, o)
	q := NewDSARequest{Flags: r.U32("flags")}
	_, q.UserDN = r.text("user_dn", MaxDN)
	q.Unused = r.nested("unused", MaxUnused)
	q.Server = r.nested("server", MaxServer)
	if r.EndRequest(); r.Err != nil {
		return NewDSARequest{}, r.Err
	}
	return q, nil
}

// AppendNewDSARequest appends the stub of q to dst. NDR64 is written
// little-endian whatever o says. The error is [wire.ClassLimit] if a string is
// too long.
func AppendNewDSARequest(dst []byte, q NewDSARequest, s Syntax, o wire.Order) ([]byte, error) {
	w := newWriter(dst, s, o)
	w.U32(q.Flags)
	w.text("user_dn", 0, q.UserDN, MaxDN)
	w.nested("unused", q.Unused, MaxUnused)
	w.nested("server", q.Server, MaxServer)
	return w.Done()
}
