package rpcparse

// The sizes that peers use, in bytes.
const (
	// MinFragment is the least that a server negotiates (Samba, tested there
	// against Windows Server 2012 R2). C706 demands 1432.
	MinFragment = 2048
	// DefaultFragment is the most that Windows and Samba offer and accept,
	// and the limit while nothing is negotiated.
	DefaultFragment = 5840
	// MaxAuth3 bounds an auth3 PDU, MaxAuth3Token its token: Samba's values.
	// Large Kerberos tickets travel in bind and alter_context.
	MaxAuth3      = 5840
	MaxAuth3Token = 4096
)

// Limits bound the PDUs that a [Framer] accepts, in bytes. The zero value is
// the protocol's own.
type Limits struct {
	// MaxFragment is the hard cap of what [Framer.SetMaxFragment] may raise
	// the limit of a request, response or fault to, from DefaultFragment to
	// MaxPDU. 0 means MaxPDU: whatever the two sides agree on.
	MaxFragment int
	// MaxBind bounds bind, alter_context and their answers, which carry
	// Kerberos tickets and are never fragmented: 1.6 to 3 KiB typically.
	// 0 means MaxPDU, as in Samba.
	MaxBind int
}

func (l Limits) maxFragment() int {
	if l.MaxFragment <= 0 || l.MaxFragment > MaxPDU {
		return MaxPDU
	}
	return max(l.MaxFragment, DefaultFragment)
}

func (l Limits) maxBind() int {
	if l.MaxBind <= 0 || l.MaxBind > MaxPDU {
		return MaxPDU
	}
	return l.MaxBind
}

// Negotiate returns the fragment size that a server which takes at most
// serverMax bytes answers to a client's offer, for both directions: the least
// of the three, at least 2048, truncated to a multiple of eight (Samba's
// dcesrv_core.c; Windows Server 2012 R2 does the same). serverMax 0 means
// DefaultFragment.
func Negotiate(clientXmit, clientRecv, serverMax uint16) uint16 {
	if serverMax == 0 {
		serverMax = DefaultFragment
	}
	return min(max(MinFragment, min(clientXmit, clientRecv)), max(MinFragment, serverMax)) &^ 7
}
