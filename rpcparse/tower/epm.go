package tower

import (
	"fmt"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// EPMInterface is the abstract syntax of the endpoint mapper (C706 appendix O).
var EPMInterface = wire.SyntaxID{UUID: wire.MustUUID("e1af8308-5d1f-11c9-91a4-08002b14a0fa"), Version: 3}

// The operations of the endpoint mapper. Only the answers of lookup and map
// carry towers to remote clients; insert and delete work locally only.
const (
	OpnumInsert           uint16 = 0
	OpnumDelete           uint16 = 1
	OpnumLookup           uint16 = 2
	OpnumMap              uint16 = 3
	OpnumLookupHandleFree uint16 = 4
	OpnumInqObject        uint16 = 5
	OpnumMgmtDelete       uint16 = 6
)

var opnumNames = [...]string{
	"ept_insert", "ept_delete", "ept_lookup", "ept_map", "ept_lookup_handle_free", "ept_inq_object", "ept_mgmt_delete",
}

// OpnumName returns the name of an operation, or "opnum N" for one that the
// interface does not have.
func OpnumName(opnum uint16) string {
	if int(opnum) < len(opnumNames) {
		return opnumNames[opnum]
	}
	return fmt.Sprintf("opnum %d", opnum)
}

// Status values of ept_map and ept_lookup (C706 appendix O, MS-RPCE 2.2.1.2.3).
const (
	StatusOK            uint32 = 0
	StatusCannotPerform uint32 = 0x16C9A0CD
	StatusNotRegistered uint32 = 0x16C9A0D6 // also: no more entries
)

// StatusName returns the name of a status, or its number in hex.
func StatusName(status uint32) string {
	switch status {
	case StatusOK:
		return "ok"
	case StatusCannotPerform:
		return "ept_s_cant_perform_op"
	case StatusNotRegistered:
		return "ept_s_not_registered"
	}
	return fmt.Sprintf("0x%08x", status)
}

// HandleSize is the size of an entry handle on the wire, in bytes.
const HandleSize = 20

// Handle is an entry handle, as on the wire. A non-zero one in an answer means
// that the client may ask again with it for more of the same list.
type Handle [HandleSize]byte

// IsZero reports whether h is NULL: the list starts or is at its end.
func (h Handle) IsZero() bool { return h == Handle{} }
