package nspi

import "github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"

// UnbindResponse is the output of NspiUnbind (MS-NSPI 3.1.4.2). A server that
// does not know the handle at all answers with a fault instead
// (nca_s_fault_context_mismatch).
type UnbindResponse struct {
	Handle Handle // stub+0; NULL in every conforming answer
	Code   Code   // stub+20; UnbindSuccess is 1, not 0
}

// ParseUnbindResponse decodes the whole stub of an NspiUnbind response: 24
// bytes. Everything else is [wire.ClassInvalid].
func ParseUnbindResponse(stub []byte, s Syntax, o wire.Order) (UnbindResponse, error) {
	if err := s.Check(o); err != nil {
		return UnbindResponse{}, err
	}
	if len(stub) != UnbindSize {
		return UnbindResponse{}, stubLength(len(stub), UnbindSize)
	}
	return UnbindResponse{Handle: ReadHandle(stub, o), Code: Code(o.Uint32(stub[HandleSize:]))}, nil
}

// Len is the number of bytes that AppendUnbindResponse appends.
func (r UnbindResponse) Len(Syntax) int { return UnbindSize }

// AppendUnbindResponse appends the stub of r to dst. NDR64 is written
// little-endian whatever o says.
func AppendUnbindResponse(dst []byte, r UnbindResponse, s Syntax, o wire.Order) []byte {
	o = s.Order(o)
	return o.AppendUint32(r.Handle.Append(dst, o), uint32(r.Code))
}
