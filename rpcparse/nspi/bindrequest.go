package nspi

import "github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"

// Sizes and places in the stub of an NspiBind request, in bytes.
const (
	// StatSize is the size of a STAT structure (MS-NSPI 2.3.7): nine u32.
	StatSize = 36
	// GUIDSize is the size of a FlatUID_r (MS-NSPI 2.3.1).
	GUIDSize = 16

	statOffset      = 4
	codePageInStat  = 24
	bindPointerFrom = statOffset + StatSize
)

// FlagAnonymousLogin is the one bit of BindRequest.Flags with a meaning.
const FlagAnonymousLogin = 0x20

// BindRequest is the input of NspiBind (MS-NSPI 3.1.4.1).
type BindRequest struct {
	Flags    uint32         // stub+0
	Stat     [StatSize]byte // stub+4, as on the wire: integers in the PDU's byte order
	CodePage uint32         // Stat[24:28] decoded; overrides it on append
	HasGUID  bool           // stub+40: referent id of pServerGuid, 4 bytes, NDR64 8
	Referent uint64         // that referent id; append replaces one that reads as NULL
	GUID     [GUIDSize]byte // stub+44, NDR64 stub+48, if HasGUID
}

// ParseBindRequest decodes the whole stub of an NspiBind request: 60 or 44
// bytes, NDR64 64 or 48, with or without a verification trailer behind.
// Everything else is [wire.ClassInvalid].
func ParseBindRequest(stub []byte, s Syntax, o wire.Order) (BindRequest, error) {
	if err := s.Check(o); err != nil {
		return BindRequest{}, err
	}
	end := bindPointerFrom + pointerLen(s, false)
	if len(stub) < end {
		return BindRequest{}, stubLength(len(stub), end)
	}
	r := BindRequest{
		Flags:    o.Uint32(stub),
		Stat:     [StatSize]byte(stub[statOffset:]),
		CodePage: o.Uint32(stub[statOffset+codePageInStat:]),
		Referent: readReferent(stub[bindPointerFrom:], s, o),
	}
	if r.HasGUID = r.Referent != 0; r.HasGUID {
		if len(stub) < end+GUIDSize {
			return BindRequest{}, stubLength(len(stub), end+GUIDSize)
		}
		r.GUID = [GUIDSize]byte(stub[end:])
		end += GUIDSize
	}
	if err := checkTrailer(stub, end); err != nil {
		return BindRequest{}, err
	}
	return r, nil
}

// Len is the number of bytes that AppendBindRequest appends.
func (r BindRequest) Len(s Syntax) int { return bindPointerFrom + pointerLen(s, r.HasGUID) }

// AppendBindRequest appends the stub of r to dst, without a verification
// trailer. NDR64 is written little-endian whatever o says.
func AppendBindRequest(dst []byte, r BindRequest, s Syntax, o wire.Order) []byte {
	o = s.Order(o)
	dst = o.AppendUint32(dst, r.Flags)
	o.PutUint32(r.Stat[codePageInStat:], r.CodePage)
	dst = append(dst, r.Stat[:]...)
	return appendPointer(dst, s, o, r.HasGUID, r.Referent, r.GUID)
}
