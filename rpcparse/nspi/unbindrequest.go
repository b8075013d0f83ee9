package nspi

import "github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"

// UnbindSize is the length of an NspiUnbind stub, without a verification
// trailer, in both directions and both transfer syntaxes.
const UnbindSize = HandleSize + 4

// UnbindRequest is the input of NspiUnbind (MS-NSPI 3.1.4.2). It may come on
// another connection of the association than the NspiBind that it ends.
type UnbindRequest struct {
	Handle   Handle // stub+0
	Reserved uint32 // stub+20, ignored
}

// ParseUnbindRequest decodes the whole stub of an NspiUnbind request: 24 bytes,
// with or without a verification trailer behind. Everything else is
// [wire.ClassInvalid].
func ParseUnbindRequest(stub []byte, s Syntax, o wire.Order) (UnbindRequest, error) {
	if err := s.Check(o); err != nil {
		return UnbindRequest{}, err
	}
	if len(stub) < UnbindSize {
		return UnbindRequest{}, stubLength(len(stub), UnbindSize)
	}
	if err := checkTrailer(stub, UnbindSize); err != nil {
		return UnbindRequest{}, err
	}
	return UnbindRequest{Handle: ReadHandle(stub, o), Reserved: o.Uint32(stub[HandleSize:])}, nil
}

// Len is the number of bytes that AppendUnbindRequest appends.
func (r UnbindRequest) Len(Syntax) int { return UnbindSize }

// AppendUnbindRequest appends the stub of r to dst, without a verification
// trailer. NDR64 is written little-endian whatever o says.
func AppendUnbindRequest(dst []byte, r UnbindRequest, s Syntax, o wire.Order) []byte {
	o = s.Order(o)
	return o.AppendUint32(r.Handle.Append(dst, o), r.Reserved)
}
