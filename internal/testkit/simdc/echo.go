package simdc

import (
	"bytes"
	"time"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// EchoInterface is an interface that nobody but its clients knows. It is
// served on the ports of NSPI, as a domain controller serves others there.
var EchoInterface = rpcparse.SyntaxID{
	UUID:    rpcparse.UUID{0x6b, 0x1e, 0x6f, 0x0d, 0x0a, 0x51, 0x4c, 0x35, 0x9c, 0x7e, 0x53, 0x49, 0x4d, 0x44, 0x43, 0x01},
	Version: 1,
}

// The operations of the echo interface. Numbers are in the byte order of the
// request's PDU.
const (
	EchoOpnum      uint16 = 0 // answers with the stub
	EchoAfterOpnum uint16 = 1 // the same after as many milliseconds as its first u32 says
	EchoSizeOpnum  uint16 = 2 // answers with as many bytes as the u32 says
	EchoFaultOpnum uint16 = 3 // answers with a fault of the status in the u32
)

// The most that echo operations do.
const (
	maxEchoDelay = 10 * time.Second
	maxEchoSize  = 4 << 20
)

// echoService serves the operations of the echo interface under the name of some
// interface: nothing is known of those of a domain controller but where they are.
type echoService struct{ iface rpcparse.SyntaxID }

func (s echoService) syntax() rpcparse.SyntaxID { return s.iface }

func (echoService) call(x *call) ([]byte, uint32) {
	if x.opnum == EchoOpnum {
		return x.stub, 0
	}
	if x.opnum > EchoFaultOpnum {
		return nil, rpcparse.StatusOpRangeError
	}
	if len(x.stub) < 4 {
		return nil, rpcparse.StatusBadStubData
	}
	n := x.stubOrder().Uint32(x.stub)
	switch x.opnum {
	case EchoAfterOpnum:
		x.wait(min(time.Duration(n)*time.Millisecond, maxEchoDelay))
		return x.stub, 0
	case EchoSizeOpnum:
		return EchoPattern(int(min(n, maxEchoSize))), 0
	}
	if !rpcparse.FaultStatusAllowed(n) {
		return nil, rpcparse.StatusBadStubData
	}
	return nil, n
}

// EchoPattern returns the n bytes that EchoSizeOpnum answers with.
func EchoPattern(n int) []byte {
	const period = 251 // a prime, so that lost or repeated fragments show
	b := make([]byte, period)
	for i := range b {
		b[i] = byte(i)
	}
	return bytes.Repeat(b, n/period+1)[:n]
}
