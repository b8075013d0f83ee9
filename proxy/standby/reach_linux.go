package standby

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Linked reports whether a packet to addr leaves this machine at once: there is a route,
// its interface has a carrier, and the Ethernet address of the next machine is known. Of
// packets that wait for that the kernel keeps some hundred and drops the others. Where
// it is not known, the kernel is asked to find out.
func Linked(addr netip.Addr) bool {
	conn, err := netlink.Dial(unix.NETLINK_ROUTE, &netlink.Config{Strict: true})
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	index, next, err := route(conn, addr)
	if err != nil {
		return false
	}
	up, resolves, err := link(conn, index)
	if err != nil || !up {
		return false
	}
	return !resolves || neighbour(conn, index, next)
}

// Lengths of struct rtmsg, struct ifinfomsg and struct ndmsg in bytes, which all begin
// with the family.
const (
	routeHeader     = 12
	linkHeader      = 16
	neighbourHeader = 12
)

// route returns the interface that leads to addr, and the next machine on the way.
func route(conn *netlink.Conn, addr netip.Addr) (index uint32, next netip.Addr, err error) {
	header := make([]byte, routeHeader)
	header[0], header[1] = familyOf(addr), byte(addr.BitLen()) // rtm_dst_len
	next = addr
	err = ask(conn, unix.RTM_GETROUTE, 0, header, func(_ []byte, a *netlink.AttributeDecoder) {
		for a.Next() {
			switch a.Type() {
			case unix.RTA_OIF:
				index = a.Uint32()
			case unix.RTA_GATEWAY:
				if gateway, ok := netip.AddrFromSlice(a.Bytes()); ok {
					next = gateway
				}
			case unix.RTA_VIA: // struct rtvia: family, address
				if b := a.Bytes(); len(b) > 2 {
					next, _ = netip.AddrFromSlice(b[2:])
				}
			}
		}
	}, attribute{unix.RTA_DST, addr.AsSlice()})
	if err == nil && index == 0 {
		err = fmt.Errorf("no route to %v", addr)
	}
	return index, next, err
}

// link reports whether an interface has a carrier, and whether it has to find out
// Ethernet addresses. The carrier is the driver's word: the flags follow it a second
// later.
func link(conn *netlink.Conn, index uint32) (up, resolves bool, err error) {
	header := make([]byte, linkHeader)
	binary.NativeEndian.PutUint32(header[4:], index) // ifi_index
	err = ask(conn, unix.RTM_GETLINK, 0, header, func(answer []byte, a *netlink.AttributeDecoder) {
		flags := binary.NativeEndian.Uint32(answer[8:]) // ifi_flags
		up = flags&unix.IFF_RUNNING != 0
		resolves = flags&(unix.IFF_NOARP|unix.IFF_LOOPBACK|unix.IFF_POINTOPOINT) == 0
		for a.Next() {
			if a.Type() == unix.IFLA_CARRIER && a.Uint8() == 0 {
				up = false
			}
		}
	})
	return up, resolves, err
}

// unknownStates are those of a neighbour (ndm_state) whose address is not known; 0: it
// was not asked for.
const unknownStates = unix.NUD_INCOMPLETE | unix.NUD_FAILED

// neighbour reports whether the Ethernet address of a machine is known. If it is not,
// it asks for it; who may not do that has to take it for known.
func neighbour(conn *netlink.Conn, index uint32, addr netip.Addr) (known bool) {
	header := make([]byte, neighbourHeader)
	header[0] = familyOf(addr)
	binary.NativeEndian.PutUint32(header[4:], index) // ndm_ifindex
	destination := attribute{unix.NDA_DST, addr.AsSlice()}
	err := ask(conn, unix.RTM_GETNEIGH, 0, header, func(answer []byte, _ *netlink.AttributeDecoder) {
		state := binary.NativeEndian.Uint16(answer[8:]) // ndm_state
		known = state != 0 && state&unknownStates == 0
	}, destination)
	if known || err != nil && !errors.Is(err, unix.ENOENT) {
		return true
	}
	header[10] = unix.NTF_USE // ndm_flags
	err = ask(conn, unix.RTM_NEWNEIGH, netlink.Create|netlink.Acknowledge, header, nil, destination)
	return errors.Is(err, unix.EPERM)
}

func familyOf(addr netip.Addr) byte {
	if addr.Is6() {
		return unix.AF_INET6
	}
	return unix.AF_INET
}

// attribute is one of a question.
type attribute struct {
	kind  uint16
	value []byte
}

// ask sends a question, and calls each with the header and the attributes of what is
// answered.
func ask(conn *netlink.Conn, kind netlink.HeaderType, flags netlink.HeaderFlags, header []byte,
	each func(header []byte, a *netlink.AttributeDecoder), attributes ...attribute) error {
	encoder := netlink.NewAttributeEncoder()
	for _, a := range attributes {
		encoder.Bytes(a.kind, a.value)
	}
	encoded, err := encoder.Encode()
	if err != nil {
		return err
	}
	question := append(header[:len(header):len(header)], encoded...)
	answers, err := conn.Execute(netlink.Message{Header: netlink.Header{Type: kind, Flags: netlink.Request | flags}, Data: question})
	if err != nil || each == nil {
		return err
	}
	for _, m := range answers {
		if len(m.Data) < len(header) {
			continue
		}
		a, err := netlink.NewAttributeDecoder(m.Data[len(header):])
		if err != nil {
			return err
		}
		each(m.Data[:len(header)], a)
	}
	return nil
}
