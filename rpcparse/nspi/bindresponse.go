package nspi

import "github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"

// codeSize is the size of a return value, in bytes.
const codeSize = 4

// BindResponse is the output of NspiBind (MS-NSPI 3.1.4.1). Some servers echo
// the client's GUID in a failure, so neither HasGUID nor the length
// distinguishes success from failure: ask Granted.
type BindResponse struct {
	HasGUID  bool           // stub+0: referent id of pServerGuid, 4 bytes, NDR64 8
	GUID     [GUIDSize]byte // stub+4, NDR64 stub+8, if HasGUID
	Referent uint64         // the referent id; append replaces one that reads as NULL
	Handle   Handle         // 20 bytes
	Code     Code           // 4 bytes
}

// Granted reports whether the server opened a session.
func (r BindResponse) Granted() bool { return r.Code == Success && !r.Handle.IsZero() }

// ParseBindResponse decodes the whole stub of an NspiBind response: 44 or 28
// bytes, NDR64 48 or 32. Everything else is [wire.ClassInvalid].
func ParseBindResponse(stub []byte, s Syntax, o wire.Order) (BindResponse, error) {
	if err := s.Check(o); err != nil {
		return BindResponse{}, err
	}
	if shortest := (BindResponse{}).Len(s); len(stub) < shortest {
		return BindResponse{}, stubLength(len(stub), shortest)
	}
	r := BindResponse{Referent: readReferent(stub, s, o)}
	r.HasGUID = r.Referent != 0
	if n := r.Len(s); len(stub) != n {
		return BindResponse{}, stubLength(len(stub), n)
	}
	rest := stub[s.WordSize():]
	if r.HasGUID {
		r.GUID = [GUIDSize]byte(rest)
		rest = rest[GUIDSize:]
	}
	r.Handle = ReadHandle(rest, o)
	r.Code = Code(o.Uint32(rest[HandleSize:]))
	return r, nil
}

// Len is the number of bytes that AppendBindResponse appends.
func (r BindResponse) Len(s Syntax) int {
	return pointerLen(s, r.HasGUID) + HandleSize + codeSize
}

// AppendBindResponse appends the stub of r to dst. NDR64 is written
// little-endian whatever o says.
func AppendBindResponse(dst []byte, r BindResponse, s Syntax, o wire.Order) []byte {
	o = s.Order(o)
	dst = appendPointer(dst, s, o, r.HasGUID, r.Referent, r.GUID)
	dst = r.Handle.Append(dst, o)
	return o.AppendUint32(dst, uint32(r.Code))
}
