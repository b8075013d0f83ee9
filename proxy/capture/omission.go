package capture

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// LeftOut is how many frames could not be read for one reason.
type LeftOut struct {
	Kind   string `json:"kind"`
	Frames int    `json:"frames"`
}

// omission is why a frame leads to no TCP segment.
type omission struct {
	kind   omissionKind
	number int // of the link type, EtherType, protocol or port
	iface  int // interface of a pcapng file, for omittedLink alone; -1: the file has none
}

type omissionKind uint8

const (
	omittedHeader   omissionKind = iota // a header is malformed, or cut off
	omittedLink                         // of a link type that is not read
	omittedEther                        // an EtherType
	omittedProtocol                     // an IP protocol
	omittedPPP                          // a PPP protocol
	omittedUDP                          // a UDP port, 0: none that is known to lead to TCP
	omittedLLC                          // IEEE 802.2 without an EtherType
	omittedFragment                     // a part of an IP packet, the rest of which is waited for
	omittedQuoted                       // ICMP, without a quoted TCP header
	omittedDeep                         // too many headers
	omittedOthers                       // of more kinds than are counted one by one
)

// maxOmissions is how many kinds are counted one by one. A real capture has a few; a hostile one can have an
// interface, and an EtherType, a frame.
const maxOmissions = 64

// omissions counts frames by the reason for which they were left out.
type omissions map[omission]int

func (o omissions) count(why omission) {
	if _, known := o[why]; !known && len(o) >= maxOmissions {
		why = omission{kind: omittedOthers}
	}
	o[why]++
}

// list returns the kinds, the most frequent first: those that are expected beside TCP, or those that are not.
func (o omissions) list(expected bool) []LeftOut {
	frames := map[string]int{}
	for why, n := range o {
		if name, other := why.name(); other == expected {
			frames[name] += n
		}
	}
	var all []LeftOut
	for _, name := range slices.Sorted(maps.Keys(frames)) {
		all = append(all, LeftOut{name, frames[name]})
	}
	slices.SortStableFunc(all, func(a, b LeftOut) int { return cmp.Compare(b.Frames, a.Frames) })
	return all
}

// name says what was left out, and whether that is expected: other protocols than TCP, which every network has.
func (o omission) name() (name string, expected bool) {
	switch o.kind {
	case omittedHeader:
		return "a header that is malformed or cut off", false
	case omittedLink:
		return o.linkName(), false
	case omittedEther:
		return known(otherEtherTypes, encryptedEtherTypes, o.number, "EtherType 0x%04x")
	case omittedProtocol:
		return known(otherProtocols, unreadProtocols, o.number, "IP protocol %d")
	case omittedPPP:
		const control = 0x8000 // and above: protocols that negotiate (RFC 1661 2)
		if o.number >= control {
			return "PPP control", true
		}
		return known(nil, unreadPPP, o.number, "PPP protocol 0x%04x")
	case omittedUDP:
		return known(map[int]string{0: "UDP"}, unreadPorts, o.number, "UDP port %d")
	case omittedLLC:
		return "802.2 LLC", true
	case omittedFragment:
		return "IP fragments", true
	case omittedQuoted:
		return "ICMP", true
	case omittedDeep:
		return fmt.Sprintf("more than %d headers", maxLayers), false
	}
	return "others", false
}

// known names a number of one of two registers: expected beside TCP, or not.
func known(expected, unread map[int]string, number int, other string) (string, bool) {
	if name, ok := expected[number]; ok {
		return name, true
	}
	text := fmt.Sprintf(other, number)
	if name, ok := unread[number]; ok {
		text += " (" + name + ")"
	}
	return text, false
}

func (o omission) linkName() string {
	if o.iface < 0 {
		name, _ := known(nil, unreadLinks, o.number, "link type %d")
		return name
	}
	text := fmt.Sprintf("interface %d (link type %d", o.iface, o.number)
	if name, ok := unreadLinks[o.number]; ok {
		text += ", " + name
	}
	return text + ")"
}

// unreadable says why nothing of a file can be read, if all of its frames are of link types that are not read.
func (o omissions) unreadable(frames int) error {
	n := 0
	for why, count := range o {
		if why.kind == omittedLink {
			n += count
		}
	}
	if frames == 0 || n < frames {
		return nil
	}
	return fmt.Errorf("none of its frames can be read: %s", Summary(o.list(false)))
}

// Summary writes kinds in one line.
func Summary(kinds []LeftOut) string {
	const most = 8 // that a line still shows
	var texts []string
	for i, k := range kinds {
		if i == most && len(kinds) > most+1 {
			rest := 0
			for _, k := range kinds[i:] {
				rest += k.Frames
			}
			texts = append(texts, fmt.Sprintf("%d of %d other kinds", rest, len(kinds)-i))
			break
		}
		texts = append(texts, fmt.Sprintf("%d of %s", k.Frames, k.Kind))
	}
	return strings.Join(texts, ", ")
}

var (
	// https://www.iana.org/assignments/ieee-802-numbers
	otherEtherTypes = map[int]string{
		0x0001: "802.3", 0x0806: "ARP", 0x8035: "RARP", 0x809b: "AppleTalk", 0x80f3: "AppleTalk", 0x8137: "IPX", 0x8808: "flow control",
		0x8809: "LACP", 0x8863: "PPPoE discovery", 0x888e: "802.1X", 0x8899: "loop detection", 0x88cc: "LLDP", 0x88f7: "PTP",
		0x8902: "CFM", 0x8906: "FCoE", 0x8914: "FCoE", 0x893a: "IEEE 1905", 0x9000: "loopback test", 0x22f0: "AVTP", 0x22f3: "TRILL",
		0x88f5: "MVRP", 0x88a4: "EtherCAT", 0x8892: "PROFINET", 0x88e1: "HomePlug", 0x8912: "HomePlug", 0x2000: "CDP",
	}
	encryptedEtherTypes = map[int]string{0x88e5: "MACsec, encrypted"}
	// https://www.iana.org/assignments/protocol-numbers
	otherProtocols = map[int]string{
		1: "ICMP", 2: "IGMP", 33: "DCCP", 46: "RSVP", 58: "ICMP", 59: "no next header", 88: "EIGRP", 89: "OSPF", 103: "PIM", 112: "VRRP",
		132: "SCTP", 135: "Mobile IPv6", 136: "UDP-Lite",
	}
	unreadProtocols = map[int]string{
		50: "ESP, encrypted", 55: "minimal IP in IP", 94: "IP in IP of old", 98: "encapsulation header", 108: "compressed", 115: "L2TP",
	}
	// https://www.iana.org/assignments/ppp-numbers
	unreadPPP = map[int]string{0x003d: "multilink", 0x0053: "encrypted", 0x0055: "encrypted", 0x00fb: "compressed", 0x00fd: "compressed"}
	// What is at these ports may have TCP in it.
	unreadPorts = map[int]string{
		1701: "L2TP", 2152: "GTP", 3544: "Teredo", 4500: "ESP, encrypted", 5247: "CAPWAP", 6080: "GUE", 6635: "MPLS", 51820: "WireGuard, encrypted",
	}
	// https://www.tcpdump.org/linktypes.html
	unreadLinks = map[int]string{
		6: "Token Ring", 7: "ARCnet", 8: "SLIP", 10: "FDDI", 105: "802.11", 107: "Frame Relay", 119: "802.11", 127: "802.11 with radiotap",
		147: "private use", 163: "802.11", 187: "Bluetooth", 189: "USB", 195: "802.15.4", 201: "Bluetooth", 220: "USB", 227: "CAN", 230: "802.15.4",
		249: "USBPcap", 251: "Bluetooth", 252: "exported PDUs", 253: "Netlink", 254: "Bluetooth", 266: "USB",
	}
)
