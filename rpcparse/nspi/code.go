package nspi

import "fmt"

// Code is the return value of an NSPI method (MS-NSPI 2.2.2).
type Code uint32

// The return values. MS-NSPI allows no others; SessionLimit is listed because
// it is the value that readers expect and must not be sent.
const (
	Success            Code = 0
	UnbindSuccess      Code = 1 // NspiUnbind only: the session is gone
	UnbindFailure      Code = 2 // NspiUnbind only: nothing was ended
	ErrorsReturned     Code = 0x00040380
	GeneralFailure     Code = 0x80004005
	NotSupported       Code = 0x80040102
	InvalidObject      Code = 0x80040108
	OutOfResources     Code = 0x8004010E
	NotFound           Code = 0x8004010F
	LogonFailed        Code = 0x80040111 // also what a server answers over its session limit
	SessionLimit       Code = 0x80040112 // not allowed in NSPI
	TooComplex         Code = 0x80040117
	InvalidCodepage    Code = 0x8004011E
	InvalidLocale      Code = 0x8004011F
	TooBig             Code = 0x80040305
	TableTooBig        Code = 0x80040403
	InvalidBookmark    Code = 0x80040405
	AmbiguousRecipient Code = 0x80040700
	AccessDenied       Code = 0x80070005
	NotEnoughMemory    Code = 0x8007000E
	InvalidParameter   Code = 0x80070057
)

// String returns the name that MAPI programs and their logs use, or the number
// in hex.
func (c Code) String() string {
	if name, ok := codeNames[c]; ok {
		return name
	}
	return fmt.Sprintf("0x%08X", uint32(c))
}

var codeNames = map[Code]string{
	Success:            "SUCCESS",
	UnbindSuccess:      "UNBIND_SUCCESS",
	UnbindFailure:      "UNBIND_FAILURE",
	ErrorsReturned:     "MAPI_W_ERRORS_RETURNED",
	GeneralFailure:     "MAPI_E_CALL_FAILED",
	NotSupported:       "MAPI_E_NO_SUPPORT",
	InvalidObject:      "MAPI_E_INVALID_OBJECT",
	OutOfResources:     "MAPI_E_NOT_ENOUGH_RESOURCES",
	NotFound:           "MAPI_E_NOT_FOUND",
	LogonFailed:        "MAPI_E_LOGON_FAILED",
	SessionLimit:       "MAPI_E_SESSION_LIMIT",
	TooComplex:         "MAPI_E_TOO_COMPLEX",
	InvalidCodepage:    "MAPI_E_UNKNOWN_CPID",
	InvalidLocale:      "MAPI_E_UNKNOWN_LCID",
	TooBig:             "MAPI_E_TOO_BIG",
	TableTooBig:        "MAPI_E_TABLE_TOO_BIG",
	InvalidBookmark:    "MAPI_E_INVALID_BOOKMARK",
	AmbiguousRecipient: "MAPI_E_AMBIGUOUS_RECIP",
	AccessDenied:       "MAPI_E_NO_ACCESS",
	NotEnoughMemory:    "MAPI_E_NOT_ENOUGH_MEMORY",
	InvalidParameter:   "MAPI_E_INVALID_PARAMETER",
}
