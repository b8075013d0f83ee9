package nspi

import (
	"fmt"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// FailureForm is the shape of a refused NspiBind. Conforming clients decode
// both alike.
type FailureForm uint8

// The two forms.
const (
	// FormSpec carries no GUID, as MS-NSPI 3.1.4.1 constraint 2 demands.
	FormSpec FailureForm = iota
	// FormEcho carries the client's own GUID, as real Exchange servers do.
	FormEcho
)

// String returns "spec" or "echo", the words of the configuration.
func (f FailureForm) String() string {
	switch f {
	case FormSpec:
		return "spec"
	case FormEcho:
		return "echo"
	}
	return fmt.Sprintf("form(%d)", uint8(f))
}

// AppendBindFailure appends the little-endian stub of an NspiBind response that
// refuses req with [LogonFailed]: no handle, and by form no GUID or the GUID of
// req. A request without a GUID gets the first form in any case.
func AppendBindFailure(dst []byte, s Syntax, form FailureForm, req BindRequest) []byte {
	r := BindResponse{Code: LogonFailed}
	if form == FormEcho && req.HasGUID {
		r.HasGUID, r.GUID = true, req.GUID
	}
	return AppendBindResponse(dst, r, s, wire.LittleEndian)
}
