package rpcparse

import "fmt"

// The fault statuses that matter here (C706 appendix E, MS-RPCE 3.1.1.5.5),
// with the Win32 error that the caller sees.
const (
	StatusAccessDenied          = 0x00000005 // ERROR_ACCESS_DENIED
	StatusServerUnavailable     = 0x000006BA // RPC_S_SERVER_UNAVAILABLE; answer to an orphaned call
	StatusNoCallActive          = 0x000006BD // RPC_S_NO_CALL_ACTIVE
	StatusBadStubData           = 0x000006F7 // RPC_X_BAD_STUB_DATA
	StatusSecPkgError           = 0x00000721 // RPC_S_SEC_PKG_ERROR; the server closes right after
	StatusOpRangeError          = 0x1C010002 // RPC_S_PROCNUM_OUT_OF_RANGE
	StatusUnknownIf             = 0x1C010003 // RPC_S_UNKNOWN_IF
	StatusProtoError            = 0x1C01000B // RPC_S_PROTOCOL_ERROR; the connection ends
	StatusServerTooBusy         = 0x1C010014 // RPC_S_SERVER_TOO_BUSY; invites retries
	StatusManagerNotEntered     = 0x1C00000C // RPC_S_CALL_FAILED_DNE
	StatusUnspecified           = 0x1C000012 // RPC_S_CALL_FAILED
	StatusContextMismatch       = 0x1C00001A // RPC_X_SS_CONTEXT_MISMATCH; the DC does not know the handle
	StatusRemoteNoMemory        = 0x1C00001B // RPC_S_SERVER_OUT_OF_MEMORY
	StatusUnsupportedAuthnLevel = 0x1C00001D // RPC_S_UNSUPPORTED_AUTHN_LEVEL
)

// StatusName returns the name of a fault status for logs and tables, e.g.
// "server_too_busy", or 0x-hex for one without.
func StatusName(status uint32) string {
	switch status {
	case StatusAccessDenied:
		return "access_denied"
	case StatusServerUnavailable:
		return "server_unavailable"
	case StatusNoCallActive:
		return "no_call_active"
	case StatusBadStubData:
		return "bad_stub_data"
	case StatusSecPkgError:
		return "sec_pkg_error"
	case StatusOpRangeError:
		return "op_range_error"
	case StatusUnknownIf:
		return "unknown_if"
	case StatusProtoError:
		return "proto_error"
	case StatusServerTooBusy:
		return "server_too_busy"
	case StatusManagerNotEntered:
		return "manager_not_entered"
	case StatusUnspecified:
		return "unspecified"
	case StatusContextMismatch:
		return "context_mismatch"
	case StatusRemoteNoMemory:
		return "remote_no_memory"
	case StatusUnsupportedAuthnLevel:
		return "unsupported_authn_level"
	}
	return fmt.Sprintf("0x%08x", status)
}

// FaultStatusAllowed reports whether a server may send status in a fault.
// MS-RPCE 3.3.3.5.1 lists those it must not: success and the codes that
// Windows keeps for exceptions of its own.
func FaultStatusAllowed(status uint32) bool {
	switch status {
	case 0,
		0x80000001, 0x80000002, 0x80000003,
		0xC0000005, 0xC0000006, 0xC000001D, 0xC0000096, 0xC00000AA, 0xC00000FD,
		0xC0000194, 0xC0000235, 0xC0000409, 0xC0000420:
		return false
	}
	return true
}
