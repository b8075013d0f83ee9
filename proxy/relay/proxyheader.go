package relay

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/pires/go-proxyproto"
)

// The PROXY protocol, version 1: one line,
//
//	PROXY TCP4 10.0.0.1 10.0.0.2 1024 135 CR LF
//
// and version 2: signature 12, version and command 1, family and transport 1,
// length of what follows 2, addresses, TLVs
// (https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt).
const (
	proxySignature1 = "PROXY "
	proxySignature2 = "\r\n\r\n\x00\r\nQUIT\n"

	// maxProxyLine is the longest line of version 1, as its section 2.1 counts.
	maxProxyLine = 107
	// proxyPrefix is the fixed part of version 2.
	proxyPrefix = 16
	// The version with its command, LOCAL or PROXY, and the family without addresses,
	// at offsets 12 and 13 of version 2.
	proxyLocal2       = 0x20
	proxyProxied2     = 0x21
	proxyUnspecified2 = 0x00
	// maxProxyHeader bounds version 2, of which 64 KiB would be possible. The
	// longest known thing in it is a client's certificate, of 1 to 2 KiB; the
	// library's own limit for what follows the prefix is 4 KiB, too.
	maxProxyHeader = proxyPrefix + 4<<10
	// proxyEvidence is how much of what is no header is shown in the error.
	proxyEvidence = 24
)

var (
	errProxyLine     = fmt.Errorf("a PROXY line of more than %d bytes", maxProxyLine)
	errProxyCut      = errors.New("the stream ended within the PROXY header")
	errProxyDatagram = errors.New("a PROXY header for datagrams")
	errProxyLeftover = errors.New("a PROXY header that ends before its length")
)

// proxyHeaderLen returns the length of the PROXY header that b begins with; 0: it
// is not all there yet.
func proxyHeaderLen(b []byte) (int, error) {
	switch {
	case startsLike(b, proxySignature1):
		if end := bytes.Index(b[:min(len(b), maxProxyLine)], []byte("\r\n")); end >= 0 {
			return end + len("\r\n"), nil
		}
		if len(b) >= maxProxyLine {
			return 0, errProxyLine
		}
	case startsLike(b, proxySignature2):
		if len(b) < proxyPrefix {
			return 0, nil
		}
		n := proxyPrefix + int(binary.BigEndian.Uint16(b[proxyPrefix-2:]))
		if n > maxProxyHeader {
			return 0, fmt.Errorf("a PROXY header of %d bytes", n)
		}
		if n <= len(b) {
			return n, nil
		}
	default:
		return 0, fmt.Errorf("no PROXY header but %q", b[:min(len(b), proxyEvidence)])
	}
	return 0, nil
}

// startsLike reports whether b begins with what, or with a part of it if b is shorter.
func startsLike(b []byte, what string) bool {
	n := min(len(b), len(what))
	return string(b[:n]) == what[:n]
}

// parseProxyHeader parses a whole header and returns the client's address and what
// the client connected to. The zero AddrPort stands for the ends of the socket: the
// header is of the load balancer itself (LOCAL: health checks), of a client whose address
// it does not know (UNKNOWN in version 1, UNSPEC in version 2), or of one on its host
// (UNIX sockets). A destination to which no client can connect is the zero AddrPort, too.
func parseProxyHeader(b []byte) (client, to netip.AddrPort, err error) {
	if withoutAddresses(b) {
		return client, to, nil
	}
	r := bufio.NewReaderSize(bytes.NewReader(b), len(b)) // the library needs all of it in one read
	h, err := proxyproto.Read(r)
	if err != nil {
		return client, to, err
	}
	if _, err := r.ReadByte(); err == nil {
		return client, to, errProxyLeftover
	}
	if h.Command.IsLocal() || h.TransportProtocol.IsUnix() {
		return client, to, nil
	}
	client, ok := endOf(h.SourceAddr)
	if !ok {
		return client, to, errProxyDatagram
	}
	if !isUnicast(client) {
		return client, to, fmt.Errorf("a PROXY header for a client at %v", client)
	}
	if to, ok = endOf(h.DestinationAddr); !ok || !isUnicast(to) {
		to = netip.AddrPort{}
	}
	return client, to, nil
}

// withoutAddresses reports whether the whole header b is of version 2 and says that no
// address in it counts. Its section 2.2 has a receiver ignore the family and all that
// follows in LOCAL, and leaves it to the receiver whether a connection with UNSPEC is
// accepted. It is, because UNKNOWN, the same of version 1, must be. The library refuses
// UNSPEC, and LOCAL with a family that it does not know.
func withoutAddresses(b []byte) bool {
	if !bytes.HasPrefix(b, []byte(proxySignature2)) {
		return false
	}
	command, family := b[len(proxySignature2)], b[len(proxySignature2)+1]
	return command == proxyLocal2 || command == proxyProxied2 && family == proxyUnspecified2
}

// endOf returns an end of a TCP connection.
func endOf(a net.Addr) (netip.AddrPort, bool) {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}, false
	}
	end := tcp.AddrPort()
	return netip.AddrPortFrom(end.Addr().Unmap(), end.Port()), true
}

// isUnicast reports whether a can be an end of a TCP connection.
func isUnicast(a netip.AddrPort) bool {
	ip := a.Addr()
	return a.Port() != 0 && ip.IsValid() && !ip.IsUnspecified() && !ip.IsMulticast() && ip != broadcast
}

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})
