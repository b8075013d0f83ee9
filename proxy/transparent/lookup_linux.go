package transparent

import (
	"encoding/binary"
	"errors"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// found is a route that the kernel has found.
type found struct {
	kind  uint8  // such as unix.RTN_LOCAL
	out   int    // the index of an interface
	table uint32 // where it stands
}

// lookUp asks the kernel, as "ip route get" does.
func lookUp(conn *netlink.Conn, q question) (f found, err error) {
	header := make([]byte, routeHeader)
	header[0] = unix.AF_INET6
	if q.to.Is4() {
		header[0] = unix.AF_INET
		binary.NativeEndian.PutUint32(header[routeFlags:], unix.RTM_F_LOOKUP_TABLE) // the answer names it for IPv6 in any case
	}
	header[routeDstLen] = byte(q.to.BitLen())
	a := netlink.NewAttributeEncoder()
	a.Bytes(unix.RTA_DST, q.to.AsSlice())
	if q.from.IsValid() {
		header[routeSrcLen] = byte(q.from.BitLen())
		a.Bytes(unix.RTA_SRC, q.from.AsSlice())
	}
	if q.in.index != 0 {
		a.Uint32(unix.RTA_IIF, uint32(q.in.index))
	}
	if q.fromPort != 0 || q.toPort != 0 {
		a.Uint8(unix.RTA_IP_PROTO, unix.IPPROTO_TCP) // else the kernel takes it for UDP
	}
	if q.fromPort != 0 {
		a.Bytes(unix.RTA_SPORT, binary.BigEndian.AppendUint16(nil, q.fromPort))
	}
	if q.toPort != 0 {
		a.Bytes(unix.RTA_DPORT, binary.BigEndian.AppendUint16(nil, q.toPort))
	}
	if q.mark != 0 {
		a.Uint32(unix.RTA_MARK, q.mark)
	}
	attributes, err := a.Encode()
	if err != nil {
		return f, err
	}
	answers, err := conn.Execute(netlink.Message{Header: netlink.Header{Type: unix.RTM_GETROUTE, Flags: netlink.Request},
		Data: append(header, attributes...)})
	if err != nil {
		return f, err
	}
	if len(answers) != 1 || len(answers[0].Data) < routeHeader {
		return f, errors.New("an answer without a route")
	}
	return parseRoute(answers[0].Data)
}

// parseRoute reads a route behind its header.
func parseRoute(data []byte) (f found, err error) {
	f.kind = data[routeType]
	a, err := netlink.NewAttributeDecoder(data[routeHeader:])
	if err != nil {
		return f, err
	}
	for a.Next() {
		switch a.Type() {
		case unix.RTA_OIF:
			f.out = int(a.Uint32())
		case unix.RTA_TABLE:
			f.table = a.Uint32()
		}
	}
	return f, a.Err()
}

// isNoRoute reports whether err is what the kernel answers where it has no route, or
// one that says that there is none (unreachable, blackhole, prohibit). For a question
// that it does not understand it says why.
func isNoRoute(err error) bool {
	if op := (*netlink.OpError)(nil); errors.As(err, &op) && op.Message != "" {
		return false
	}
	return errors.Is(err, unix.ENETUNREACH) || errors.Is(err, unix.EHOSTUNREACH) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EACCES)
}

// kernelRouter is router by netlink.
type kernelRouter struct {
	conn  *netlink.Conn
	links []link
}

func (r kernelRouter) lookup(a netip.Addr) (routeTo, error) {
	f, err := lookUp(r.conn, question{to: a})
	switch {
	case isNoRoute(err):
		return routeTo{none: true}, nil
	case err != nil:
		return routeTo{}, err
	case f.kind == unix.RTN_LOCAL:
		return routeTo{own: true}, nil
	case f.kind != unix.RTN_UNICAST:
		return routeTo{none: true}, nil // broadcast, multicast, or one that is refused
	}
	k, _ := linkOf(f.out, r.links) // it may be new
	return routeTo{out: k.name}, nil
}
