package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// FaultStatus is the status of the RPC fault that answers a refused bind on a
// signed or sealed connection (C706 12.6.4.7).
type FaultStatus uint32

// The statuses that have a name in the configuration.
const (
	// FaultAccessDenied is final for the call in most clients.
	FaultAccessDenied FaultStatus = 0x00000005
	// FaultServerTooBusy invites clients to try again.
	FaultServerTooBusy FaultStatus = 0x1C010014
)

var faultNames = map[string]FaultStatus{
	"access_denied":   FaultAccessDenied,
	"server_too_busy": FaultServerTooBusy,
}

// forbiddenFaults must not appear in a fault (MS-RPCE 3.3.3.5.1): clients treat
// them as exceptions of their own process.
var forbiddenFaults = []FaultStatus{
	0, 0x80000001, 0x80000002, 0x80000003,
	0xC0000005, 0xC0000006, 0xC000001D, 0xC0000096, 0xC00000AA, 0xC00000FD,
	0xC0000194, 0xC0000235, 0xC0000409, 0xC0000420,
}

// fatalFaults are legal, but say that the connection is broken: clients close
// it, and with it every session that was opened on it alone.
var fatalFaults = map[FaultStatus]string{
	0x00000721: "security package error",
	0x1C01000B: "protocol error",
}

const errFaultStatus = expectation("access_denied, server_too_busy, or a status such as 0x80040111")

// ParseFaultStatus reads a name, a decimal number or a hexadecimal one (0x…),
// and refuses what a fault must not say.
func ParseFaultStatus(s string) (FaultStatus, error) {
	if status, ok := faultNames[s]; ok {
		return status, nil
	}
	n, ok := parseDecimal(s, 32)
	if hex, isHex := strings.CutPrefix(strings.ToLower(s), "0x"); isHex {
		var err error
		n, err = strconv.ParseUint(hex, 16, 32)
		ok = err == nil
	}
	if !ok {
		return 0, errFaultStatus
	}
	if slices.Contains(forbiddenFaults, FaultStatus(n)) {
		return 0, expectedf("a status that a fault may have: 0x%08X is forbidden by MS-RPCE 3.3.3.5.1", n)
	}
	return FaultStatus(n), nil
}

// String returns the name in the configuration, or the number in hexadecimal.
func (f FaultStatus) String() string {
	for name, status := range faultNames {
		if status == f {
			return name
		}
	}
	return fmt.Sprintf("0x%08X", uint32(f))
}

// RefusalForm is which of the two known forms of a failed NspiBind response is
// sent. Conforming clients read both alike.
type RefusalForm string

// The forms.
const (
	// FormSpec has no server GUID (MS-NSPI 3.1.4.1, constraint 2).
	FormSpec RefusalForm = "spec"
	// FormEcho repeats the client's GUID, as Exchange servers do.
	FormEcho RefusalForm = "echo"
)
