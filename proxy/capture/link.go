package capture

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// Link types that the library has no names for (https://www.tcpdump.org/linktypes.html). Raw IP is also written under
// two numbers besides 101.
const (
	linkRawOther     layers.LinkType = 12
	linkRawOpenBSD   layers.LinkType = 14
	linkENC          layers.LinkType = 109
	linkPPI          layers.LinkType = 192
	linkPPPDirection layers.LinkType = 204
	linkNFLOG        layers.LinkType = 239
)

// Headers that the library does not decode at all, or not without building a packet. headers.go reads them.
const (
	layerIP gopacket.LayerType = -1 - iota
	layerLoopback
	layerNFLOG
	layerPFLOG
	layerENC
	layerPPI
	layerCHDLC
	layerPPPDirection
	layerPPP
	layerPPPoE
	layerMPLS
	layerLLC
	layerMACsec
	layerVNTag
	layerMetadata
	layerPBB
	layerERSPAN
	layerERSPAN3
	layerVXLANGPE
	layerTZSP
	layerAH
	layerEtherIP
)

// linkLayer returns the first header of frames of a link type; false if they cannot be read.
func linkLayer(l layers.LinkType) (gopacket.LayerType, bool) {
	switch l {
	case layers.LinkTypeEthernet:
		return layers.LayerTypeEthernet, true
	case layers.LinkTypeLinuxSLL:
		return layers.LayerTypeLinuxSLL, true
	case layers.LinkTypeLinuxSLL2:
		return layers.LayerTypeLinuxSLL2, true
	case layers.LinkTypeNull, layers.LinkTypeLoop:
		return layerLoopback, true
	case layers.LinkTypeRaw, layers.LinkTypeIPv4, layers.LinkTypeIPv6, linkRawOpenBSD, linkRawOther:
		return layerIP, true
	case layers.LinkTypePPP, layers.LinkTypePPP_HDLC:
		return layerPPP, true
	case linkPPPDirection:
		return layerPPPDirection, true
	case layers.LinkTypePPPEthernet:
		return layerPPPoE, true
	case layers.LinkTypeC_HDLC:
		return layerCHDLC, true
	case layers.LinkTypePFLog:
		return layerPFLOG, true
	case linkENC:
		return layerENC, true
	case linkPPI:
		return layerPPI, true
	case linkNFLOG:
		return layerNFLOG, true
	}
	return gopacket.LayerTypeZero, false
}

// knownLink says whether frames of a link type can be read.
func knownLink(l layers.LinkType) error {
	if _, ok := linkLayer(l); ok {
		return nil
	}
	name, _ := omission{kind: omittedLink, number: int(l), iface: -1}.name()
	return fmt.Errorf("%s is not one of Ethernet, raw IP, loopback, Linux cooked, NFLOG, PFLOG, PPP and PPI", name)
}

// decoder finds the TCP segment in a frame. It is reused for every frame.
type decoder struct {
	ethernet layers.Ethernet
	vlan     layers.Dot1Q
	sll      layers.LinuxSLL
	sll2     layers.LinuxSLL2
	ip4      layers.IPv4
	ip6      layers.IPv6
	ext6     layers.IPv6ExtensionSkipper
	gre      layers.GRE
	udp      layers.UDP
	vxlan    layers.VXLAN
	geneve   layers.Geneve
	icmp4    layers.ICMPv4
	icmp6    layers.ICMPv6

	fragments defragmenter

	// of the innermost IP header
	src, dst netip.Addr
	length   int  // bytes behind it, as it tells; 0: unknown, all there are
	payload  int  // bytes behind it that were captured
	quoted   bool // it is quoted by an ICMP error

	why omission // for which nothing follows
}

// decode returns the TCP segment that the frame carries, or why there is none. Tunnels are looked into: the innermost
// IP packet counts, as in Wireshark. What cannot be read is not TCP that anybody received.
func (d *decoder) decode(f frame) (s segment, why omission, ok bool) {
	defer func() {
		if recover() != nil { // the library promises no panics but gives no proof
			s, why, ok = segment{}, omission{}, false
		}
	}()
	return d.headers(f)
}

// headers reads one header after the other.
func (d *decoder) headers(f frame) (s segment, why omission, ok bool) {
	d.length, d.payload, d.quoted, d.why = 0, 0, false, omission{}
	next, ok := linkLayer(f.link)
	if !ok {
		return segment{}, omission{kind: omittedLink, number: int(f.link), iface: f.iface}, false
	}
	data := f.data
	for range maxLayers {
		if next == layers.LayerTypeTCP {
			if s, ok = d.segment(f, data); !ok {
				d.malformed()
			}
			return s, d.why, ok
		}
		if next, data = d.layer(next, data); next == gopacket.LayerTypeZero {
			return segment{}, d.why, false
		}
	}
	return segment{}, omission{kind: omittedDeep}, false
}

// stop says that nothing follows that could lead to TCP, and why.
func (d *decoder) stop(kind omissionKind, number int) (gopacket.LayerType, []byte) {
	d.why = omission{kind: kind, number: number}
	if d.quoted {
		d.why = omission{kind: omittedQuoted}
	}
	return gopacket.LayerTypeZero, nil
}

// malformed says that a header cannot be read.
func (d *decoder) malformed() (gopacket.LayerType, []byte) { return d.stop(omittedHeader, 0) }

// layer decodes one header and returns what follows; LayerTypeZero if nothing does that could lead to TCP.
func (d *decoder) layer(t gopacket.LayerType, data []byte) (gopacket.LayerType, []byte) {
	switch t {
	case layers.LayerTypeIPv4:
		return d.ipv4(data)
	case layers.LayerTypeIPv6:
		return d.ipv6(data)
	case layers.LayerTypeIPv6Fragment:
		return d.ipv6Fragment(data)
	case layers.LayerTypeICMPv4:
		return d.icmpv4(data)
	case layers.LayerTypeICMPv6:
		return d.icmpv6(data)
	}
	if t < 0 {
		return d.header(t, data)
	}
	return d.plain(t, data)
}

// plain decodes the headers that the library reads and that need no treatment of their own.
func (d *decoder) plain(t gopacket.LayerType, data []byte) (gopacket.LayerType, []byte) {
	var l gopacket.DecodingLayer
	switch t {
	case layers.LayerTypeEthernet:
		l = &d.ethernet
	case layers.LayerTypeDot1Q:
		l = &d.vlan
	case layers.LayerTypeLinuxSLL:
		l = &d.sll
	case layers.LayerTypeLinuxSLL2:
		l = &d.sll2
	case layers.LayerTypeGRE:
		l = &d.gre
	case layers.LayerTypeUDP:
		l = &d.udp
	case layers.LayerTypeVXLAN:
		l = &d.vxlan
	case layers.LayerTypeGeneve:
		l = &d.geneve
	default:
		l = &d.ext6
	}
	if l.DecodeFromBytes(data, gopacket.NilDecodeFeedback) != nil {
		return d.malformed()
	}
	rest := l.LayerPayload()
	switch t {
	case layers.LayerTypeEthernet:
		return d.etherType(uint16(d.ethernet.EthernetType), rest)
	case layers.LayerTypeDot1Q:
		return d.etherType(uint16(d.vlan.Type), rest)
	case layers.LayerTypeLinuxSLL:
		return d.etherType(uint16(d.sll.EthernetType), rest)
	case layers.LayerTypeLinuxSLL2:
		return d.etherType(uint16(d.sll2.ProtocolType), rest)
	case layers.LayerTypeGRE:
		return d.greProtocol(rest)
	case layers.LayerTypeUDP:
		return d.port(rest)
	case layers.LayerTypeVXLAN:
		return layers.LayerTypeEthernet, rest
	case layers.LayerTypeGeneve:
		return d.etherType(uint16(d.geneve.Protocol), rest)
	}
	return d.protocol(d.ext6.NextHeader, rest)
}

// etherType returns which header an EtherType leads to. Numbers too small for one are lengths, of IEEE 802.3; Linux
// cooked captures have 4 for those.
func (d *decoder) etherType(t uint16, rest []byte) (gopacket.LayerType, []byte) {
	const least, novell = 0x0600, 1
	switch t {
	case 0x0800:
		return layers.LayerTypeIPv4, rest
	case 0x86dd:
		return layers.LayerTypeIPv6, rest
	case 0x8100, 0x88a8, 0x9100, 0x9200:
		return layers.LayerTypeDot1Q, rest
	case 0x8847, 0x8848:
		return layerMPLS, rest
	case 0x8864:
		return layerPPPoE, rest
	case 0x880b:
		return layerPPP, rest
	case 0x6558:
		return layers.LayerTypeEthernet, rest
	case 0x88e5:
		return layerMACsec, rest
	case 0x88e7:
		return layerPBB, rest
	case 0x8909:
		return layerMetadata, rest
	case 0x8926:
		return layerVNTag, rest
	}
	if t < least && t != novell {
		return layerLLC, rest
	}
	return d.stop(omittedEther, int(t))
}

// greProtocol returns which header follows GRE. A mirror port's frame is behind a header of its own, except in
// ERSPAN type I, which has no sequence number (draft-foschiano-erspan-03 4.1).
func (d *decoder) greProtocol(rest []byte) (gopacket.LayerType, []byte) {
	const erspan, erspan3 = 0x88be, 0x22eb
	switch uint16(d.gre.Protocol) {
	case erspan:
		if !d.gre.SeqPresent {
			return layers.LayerTypeEthernet, rest
		}
		return layerERSPAN, rest
	case erspan3:
		return layerERSPAN3, rest
	}
	return d.etherType(uint16(d.gre.Protocol), rest)
}

// port returns which header follows UDP, by the ports that are registered for tunnels.
func (d *decoder) port(rest []byte) (gopacket.LayerType, []byte) {
	for _, p := range []layers.UDPPort{d.udp.DstPort, d.udp.SrcPort} {
		switch p {
		case 4789:
			return layers.LayerTypeVXLAN, rest
		case 4790:
			return layerVXLANGPE, rest
		case 6081:
			return layers.LayerTypeGeneve, rest
		case 37008:
			return layerTZSP, rest
		}
		if _, ok := unreadPorts[int(p)]; ok {
			return d.stop(omittedUDP, int(p))
		}
	}
	return d.stop(omittedUDP, 0)
}

// be16 reads a field of a header.
func be16(b []byte) uint16 { return binary.BigEndian.Uint16(b) }
