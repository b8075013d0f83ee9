package capture

import (
	"net/netip"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

func (d *decoder) ipv4(data []byte) (gopacket.LayerType, []byte) {
	ip := &d.ip4
	if len(data) == 0 || data[0]>>4 != 4 || ip.DecodeFromBytes(data, gopacket.NilDecodeFeedback) != nil {
		return d.malformed()
	}
	if ip.NextLayerType() == gopacket.LayerTypeFragment {
		if ip = d.fragments.ipv4(ip); ip == nil {
			return d.stop(omittedFragment, 0)
		}
	}
	return d.ip(ip.Protocol, ip.SrcIP, ip.DstIP, ip.Payload, int(ip.Length)-4*int(ip.IHL))
}

func (d *decoder) ipv6(data []byte) (gopacket.LayerType, []byte) {
	ip := &d.ip6
	err := ip.DecodeFromBytes(data, gopacket.NilDecodeFeedback)
	// A length of 0 is an error to the library. With segmentation offload the
	// sender's own capture has it: the packet is what there is.
	if len(data) > 0 && data[0]>>4 != 6 || err != nil && (len(data) < 40 || ip.Length != 0 || ip.NextHeader == layers.IPProtocolIPv6HopByHop) {
		return d.malformed()
	}
	length, next := int(ip.Length), ip.NextHeader
	if ip.HopByHop != nil {
		next = ip.HopByHop.NextHeader
		length -= ip.HopByHop.ActualLength // decoded as part of the header
	}
	return d.ip(next, ip.SrcIP, ip.DstIP, ip.Payload, length)
}

// ip notes an IP header and returns what follows it. length is what the header
// tells about the bytes behind it. Offloaded packets tell 0, or too little,
// because the field is too small: then what there is counts.
func (d *decoder) ip(next layers.IPProtocol, src, dst, payload []byte, length int) (gopacket.LayerType, []byte) {
	var okSrc, okDst bool
	d.src, okSrc = netip.AddrFromSlice(src)
	d.dst, okDst = netip.AddrFromSlice(dst)
	if !okSrc || !okDst {
		return d.malformed()
	}
	d.length, d.payload = max(length, len(payload)), len(payload)
	return d.protocol(next, payload)
}

// protocol returns which header an IP protocol leads to.
func (d *decoder) protocol(p layers.IPProtocol, rest []byte) (gopacket.LayerType, []byte) {
	var next gopacket.LayerType
	switch p {
	case layers.IPProtocolTCP:
		next = layers.LayerTypeTCP
	case layers.IPProtocolUDP:
		next = layers.LayerTypeUDP
	case layers.IPProtocolIPv4:
		next = layers.LayerTypeIPv4
	case layers.IPProtocolIPv6:
		next = layers.LayerTypeIPv6
	case layers.IPProtocolGRE:
		next = layers.LayerTypeGRE
	case layers.IPProtocolICMPv4:
		next = layers.LayerTypeICMPv4
	case layers.IPProtocolICMPv6:
		next = layers.LayerTypeICMPv6
	case layers.IPProtocolAH:
		next = layerAH
	case layers.IPProtocolEtherIP:
		next = layerEtherIP
	case layers.IPProtocolMPLSInIP:
		next = layerMPLS
	default:
		if next = p.LayerType(); d.src.Is4() || !layers.LayerClassIPv6Extension.Contains(next) {
			return d.stop(omittedProtocol, int(p))
		}
	}
	if len(rest) == 0 {
		return d.malformed()
	}
	return next, rest
}

// ipv6Fragment decodes a fragment header.
func (d *decoder) ipv6Fragment(data []byte) (gopacket.LayerType, []byte) {
	var f layers.IPv6Fragment
	if f.DecodeFromBytes(data, gopacket.NilDecodeFeedback) != nil {
		return d.malformed()
	}
	if f.FragmentOffset == 0 && !f.MoreFragments { // not a fragment at all (RFC 6946)
		return d.protocol(f.NextHeader, f.Payload)
	}
	ip := d.fragments.ipv6(&d.ip6, &f)
	if ip == nil {
		return d.stop(omittedFragment, 0)
	}
	return d.ip(ip.NextHeader, ip.SrcIP, ip.DstIP, ip.Payload, len(ip.Payload))
}

// icmpv4 leads into the packet that an ICMP error quotes: Wireshark counts a
// TCP connection that it has seen nothing else of.
func (d *decoder) icmpv4(data []byte) (gopacket.LayerType, []byte) {
	if d.quoted || d.icmp4.DecodeFromBytes(data, gopacket.NilDecodeFeedback) != nil {
		return d.stop(omittedQuoted, 0)
	}
	switch d.icmp4.TypeCode.Type() {
	case layers.ICMPv4TypeDestinationUnreachable, layers.ICMPv4TypeSourceQuench,
		layers.ICMPv4TypeTimeExceeded, layers.ICMPv4TypeParameterProblem:
		d.quoted = true
		return layers.LayerTypeIPv4, d.icmp4.Payload
	}
	return d.stop(omittedQuoted, 0)
}

func (d *decoder) icmpv6(data []byte) (gopacket.LayerType, []byte) {
	const unused = 4 // bytes before the quoted packet
	if d.quoted || d.icmp6.DecodeFromBytes(data, gopacket.NilDecodeFeedback) != nil || len(d.icmp6.Payload) < unused {
		return d.stop(omittedQuoted, 0)
	}
	switch d.icmp6.TypeCode.Type() {
	case layers.ICMPv6TypeDestinationUnreachable, layers.ICMPv6TypePacketTooBig,
		layers.ICMPv6TypeTimeExceeded, layers.ICMPv6TypeParameterProblem:
		d.quoted = true
		return layers.LayerTypeIPv6, d.icmp6.Payload[unused:]
	}
	return d.stop(omittedQuoted, 0)
}
