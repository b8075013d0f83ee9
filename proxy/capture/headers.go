package capture

import (
	"encoding/binary"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// sizes are how long the headers are at least that are read here.
var sizes = map[gopacket.LayerType]int{
	layerIP: 1, layerLoopback: 5, layerNFLOG: 4, layerPFLOG: 4, layerENC: 13, layerPPI: 8, layerCHDLC: 4, layerPPPDirection: 1, layerPPP: 1,
	layerPPPoE: 6, layerMPLS: 4, layerLLC: 3, layerMACsec: 6, layerVNTag: 6, layerMetadata: 8, layerPBB: 4, layerERSPAN: 8,
	layerERSPAN3: 12, layerVXLANGPE: 8, layerTZSP: 4, layerAH: 12, layerEtherIP: 2,
}

// header decodes a header that the library does not.
func (d *decoder) header(t gopacket.LayerType, b []byte) (gopacket.LayerType, []byte) {
	if len(b) < sizes[t] {
		return d.malformed()
	}
	switch t {
	case layerIP:
		return d.version(b)
	case layerLoopback: // the address family, whose numbers differ between systems
		return d.version(b[4:])
	case layerENC: // family 4, index 4, flags 4: OpenBSD's enc(4)
		return d.version(b[12:])
	case layerNFLOG:
		return d.nflog(b)
	case layerPFLOG: // length of the header 1, without its padding to 4: pflog(4)
		return d.skip(layerIP, b, (int(b[0])+3)&^3)
	case layerPPI:
		return d.ppi(b)
	case layerCHDLC: // address 1, control 1, EtherType 2
		return d.etherType(be16(b[2:]), b[4:])
	case layerPPPDirection: // sent or received 1
		return layerPPP, b[1:]
	case layerPPP:
		return d.ppp(b)
	case layerPPPoE: // version and type 1, code 1, session 2, length 2: RFC 2516 4
		return layerPPP, b[6:]
	case layerMPLS:
		return d.mpls(b)
	case layerLLC:
		return d.llc(b)
	case layerMACsec:
		return d.macsec(b)
	case layerVNTag: // direction, destination and source 4, EtherType 2: IEEE 802.1BR's predecessor
		return d.etherType(be16(b[4:]), b[6:])
	case layerMetadata: // version 1, length in words 1, options, EtherType 2: Cisco's CMD, with security group tags
		return d.metadata(b)
	case layerPBB: // flags and service 4, then the customer's frame: IEEE 802.1ah
		return layers.LayerTypeEthernet, b[4:]
	case layerERSPAN: // version and VLAN 2, session 2, index 4: draft-foschiano-erspan-03 4.2
		return layers.LayerTypeEthernet, b[8:]
	case layerERSPAN3:
		return d.erspan3(b)
	case layerVXLANGPE:
		return d.vxlanGPE(b)
	case layerTZSP:
		return d.tzsp(b)
	case layerAH: // next header 1, length in words, without two, 1: RFC 4302 2
		if n := (int(b[1]) + 2) * 4; n <= len(b) {
			return d.protocol(layers.IPProtocol(b[0]), b[n:])
		}
	case layerEtherIP: // version and reserved 2: RFC 3378 3
		return layers.LayerTypeEthernet, b[2:]
	}
	return d.malformed()
}

// skip goes on behind n bytes.
func (d *decoder) skip(next gopacket.LayerType, b []byte, n int) (gopacket.LayerType, []byte) {
	if n > len(b) {
		return d.malformed()
	}
	return next, b[n:]
}

// version returns which IP header begins b.
func (d *decoder) version(b []byte) (gopacket.LayerType, []byte) {
	switch b[0] >> 4 {
	case 4:
		return layers.LayerTypeIPv4, b
	case 6:
		return layers.LayerTypeIPv6, b
	}
	return d.malformed()
}

// nflog reads what netfilter's log group had: family 1, version 1, resource 2, then attributes of length 2, type 2,
// value and padding to 4, in the byte order of the machine, which the file does not tell
// (https://www.tcpdump.org/linktypes/LINKTYPE_NFLOG.html). One of them is the packet.
func (d *decoder) nflog(b []byte) (gopacket.LayerType, []byte) {
	for _, o := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		if packet := nflogPacket(b[4:], o); len(packet) > 0 {
			return d.version(packet)
		}
	}
	return d.malformed()
}

// nflogPacket returns the value of the attribute that has the packet; nil without one.
func nflogPacket(b []byte, o binary.ByteOrder) []byte {
	const fixed, payload, typeMask = 4, 9, 0x7fff
	for len(b) >= fixed {
		n, kind := int(o.Uint16(b)), o.Uint16(b[2:])&typeMask
		if n < fixed {
			return nil
		}
		if kind == payload {
			return b[fixed:min(n, len(b))]
		}
		if n = (n + 3) &^ 3; n > len(b) {
			return nil
		}
		b = b[n:]
	}
	return nil
}

// ppi reads per-packet information: version 1, flags 1, length 2, link type 4, in little-endian order.
func (d *decoder) ppi(b []byte) (gopacket.LayerType, []byte) {
	length, link := int(binary.LittleEndian.Uint16(b[2:])), binary.LittleEndian.Uint32(b[4:])
	const least, highest = 8, 0xffff
	if length < least {
		return d.malformed()
	}
	next, ok := linkLayer(layers.LinkType(link))
	if !ok || link > highest || next == layerPPI {
		d.why = omission{kind: omittedLink, number: int(link), iface: -1}
		return gopacket.LayerTypeZero, nil
	}
	return d.skip(next, b, length)
}

// ppp reads address ff and control 03, which may be left out, and the protocol, whose first byte may be left out if
// it is 0 (RFC 1661 2, 6.5). Cisco HDLC is told apart by its addresses.
func (d *decoder) ppp(b []byte) (gopacket.LayerType, []byte) {
	const unicast, multicast = 0x0f, 0x8f
	if len(b) >= 4 && (b[0] == unicast || b[0] == multicast) && b[1] == 0 {
		return layerCHDLC, b
	}
	if len(b) >= 2 && b[0] == 0xff && b[1] == 3 {
		b = b[2:]
	}
	protocol, n := 0, 1
	switch {
	case len(b) >= 1 && b[0]&1 == 1:
		protocol = int(b[0])
	case len(b) >= 2:
		protocol, n = int(be16(b)), 2
	default:
		return d.malformed()
	}
	switch protocol {
	case 0x21:
		return layers.LayerTypeIPv4, b[n:]
	case 0x57:
		return layers.LayerTypeIPv6, b[n:]
	case 0x281, 0x283:
		return layerMPLS, b[n:]
	}
	return d.stop(omittedPPP, protocol)
}

// mpls reads one label: label 20 bits, class 3, bottom of the stack 1, hop limit 8 (RFC 3032 2.1). What is behind the
// last one is not told: IP by its version, otherwise an Ethernet frame, perhaps with a control word before it, which
// begins with four bits of 0 (RFC 4928, RFC 4448 4.6). So do many addresses: where both can be, the EtherType decides.
func (d *decoder) mpls(b []byte) (gopacket.LayerType, []byte) {
	const bottom, controlWord = 1, 4
	last := b[2]&bottom != 0
	switch b = b[4:]; {
	case !last:
		return layerMPLS, b
	case len(b) == 0:
		return d.malformed()
	case b[0]>>4 == 4 || b[0]>>4 == 6:
		return d.version(b)
	case b[0]>>4 == 0 && len(b) > controlWord && !d.framed(b):
		return layers.LayerTypeEthernet, b[controlWord:]
	}
	return layers.LayerTypeEthernet, b
}

// framed reports whether b begins with an Ethernet header that leads further.
func (d *decoder) framed(b []byte) bool {
	const header = 14
	if len(b) < header {
		return false
	}
	next, _ := d.etherType(be16(b[header-2:]), b[header:])
	return next != gopacket.LayerTypeZero && next != layerLLC
}

// llc reads destination 1, source 1, control 1, and with SNAP the organization 3 and an EtherType (IEEE 802 9.2).
func (d *decoder) llc(b []byte) (gopacket.LayerType, []byte) {
	const snap = 8
	if len(b) < snap || b[0] != 0xaa || b[1] != 0xaa || b[2] != 3 || b[3] != 0 || b[4] != 0 || b[5] != 0 && b[5] != 0xf8 {
		return d.stop(omittedLLC, 0)
	}
	return d.etherType(be16(b[6:]), b[snap:])
}

// macsec reads flags 1, short length 1, packet number 4, and if a flag says so a channel 8. The frame's own EtherType
// follows, in clear if it is only authenticated (IEEE 802.1AE 9.3).
func (d *decoder) macsec(b []byte) (gopacket.LayerType, []byte) {
	const channel, encrypted, changed = 0x20, 0x08, 0x04
	if b[0]&(encrypted|changed) != 0 {
		return d.stop(omittedEther, 0x88e5)
	}
	n := sizes[layerMACsec]
	if b[0]&channel != 0 {
		n += 8
	}
	if len(b) < n+2 {
		return d.malformed()
	}
	return d.etherType(be16(b[n:]), b[n+2:])
}

func (d *decoder) metadata(b []byte) (gopacket.LayerType, []byte) {
	n := 2 + 4*int(b[1])
	if len(b) < n+2 {
		return d.malformed()
	}
	return d.etherType(be16(b[n:]), b[n+2:])
}

// erspan3 reads version and VLAN 2, session 2, time 4, group 2, and flags 2 that say what kind of frame follows and
// whether 8 more bytes come before it (draft-foschiano-erspan-03 4.3).
func (d *decoder) erspan3(b []byte) (gopacket.LayerType, []byte) {
	const version, kindShift, kindMask, ip, more = 2, 10, 0x1f, 2, 1
	if b[0]>>4 != version {
		return d.malformed()
	}
	flags := be16(b[10:])
	n, next := sizes[layerERSPAN3], layers.LayerTypeEthernet
	if flags&more != 0 {
		n += 8
	}
	if flags>>kindShift&kindMask == ip {
		next = layerIP
	}
	if n >= len(b) {
		return d.malformed()
	}
	return next, b[n:]
}

// vxlanGPE reads flags 1, reserved 2, next protocol 1, network 3, reserved 1 (draft-ietf-nvo3-vxlan-gpe-13 3).
func (d *decoder) vxlanGPE(b []byte) (gopacket.LayerType, []byte) {
	switch b[3] {
	case 1:
		return layers.LayerTypeIPv4, b[8:]
	case 2:
		return layers.LayerTypeIPv6, b[8:]
	case 3:
		return layers.LayerTypeEthernet, b[8:]
	case 5:
		return layerMPLS, b[8:]
	}
	return d.stop(omittedUDP, 4790)
}

// tzsp reads version 1, type 1, protocol 2, then tags of type 1, length 1 and value; two types have neither length
// nor value, and one of those is the last. Frames of Ethernet are protocol 1.
func (d *decoder) tzsp(b []byte) (gopacket.LayerType, []byte) {
	const ethernet, padding, end = 1, 0, 1
	if be16(b[2:]) != ethernet {
		return d.stop(omittedUDP, 37008)
	}
	for b = b[4:]; len(b) > 0; {
		switch {
		case b[0] == end:
			return layers.LayerTypeEthernet, b[1:]
		case b[0] == padding:
			b = b[1:]
		case len(b) < 2 || len(b) < 2+int(b[1]):
			return d.malformed()
		default:
			b = b[2+int(b[1]):]
		}
	}
	return d.malformed()
}
