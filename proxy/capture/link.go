package capture

import (
	"fmt"
	"net/netip"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// linkRaw are the numbers under which raw IP is written besides 101.
const (
	linkRawOpenBSD layers.LinkType = 14
	linkRawOther   layers.LinkType = 12
)

// knownLink says whether frames of a link type can be read.
func knownLink(l layers.LinkType) error {
	switch l {
	case layers.LinkTypeEthernet, layers.LinkTypeNull, layers.LinkTypeLoop, layers.LinkTypeLinuxSLL, layers.LinkTypeLinuxSLL2,
		layers.LinkTypeRaw, layers.LinkTypeIPv4, layers.LinkTypeIPv6, linkRawOpenBSD, linkRawOther:
		return nil
	}
	return fmt.Errorf("link type %d (%v) is not one of Ethernet, raw IP, loopback and Linux cooked", int(l), l)
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
	erspan   layers.ERSPANII
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
}

// decode returns the TCP segment that the frame carries, if it does. Tunnels
// are looked into: the innermost IP packet counts, as in Wireshark. What cannot
// be read is not TCP that anybody received.
func (d *decoder) decode(f frame) (s segment, ok bool) {
	defer func() {
		if recover() != nil { // the library promises no panics but gives no proof
			s, ok = segment{}, false
		}
	}()
	d.length, d.payload, d.quoted = 0, 0, false
	next, data := firstLayer(f)
	for range maxLayers {
		if next == layers.LayerTypeTCP {
			return d.segment(f, data)
		}
		if next, data = d.layer(next, data); data == nil {
			return segment{}, false
		}
	}
	return segment{}, false
}

// firstLayer returns the type of the first header that is decoded, and the
// bytes from it on.
func firstLayer(f frame) (gopacket.LayerType, []byte) {
	switch f.link {
	case layers.LinkTypeEthernet:
		return layers.LayerTypeEthernet, f.data
	case layers.LinkTypeLinuxSLL:
		return layers.LayerTypeLinuxSLL, f.data
	case layers.LinkTypeLinuxSLL2:
		return layers.LayerTypeLinuxSLL2, f.data
	case layers.LinkTypeNull, layers.LinkTypeLoop:
		// Four bytes with the address family, whose numbers differ between
		// systems. The IP version tells the same.
		if len(f.data) < 4 {
			return gopacket.LayerTypeZero, nil
		}
		return ipVersion(f.data[4:]), f.data[4:]
	}
	return ipVersion(f.data), f.data
}

// ipVersion returns which IP header begins b.
func ipVersion(b []byte) gopacket.LayerType {
	switch {
	case len(b) > 0 && b[0]>>4 == 4:
		return layers.LayerTypeIPv4
	case len(b) > 0 && b[0]>>4 == 6:
		return layers.LayerTypeIPv6
	}
	return gopacket.LayerTypeZero
}

// layer decodes one header and returns what follows; nil if nothing does that
// could lead to TCP.
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
	l := d.plain(t)
	if l == nil || l.DecodeFromBytes(data, gopacket.NilDecodeFeedback) != nil {
		return gopacket.LayerTypeZero, nil
	}
	return l.NextLayerType(), l.LayerPayload()
}

// plain returns the decoder of a header that needs no treatment of its own.
func (d *decoder) plain(t gopacket.LayerType) gopacket.DecodingLayer {
	switch t {
	case layers.LayerTypeEthernet:
		return &d.ethernet
	case layers.LayerTypeDot1Q:
		return &d.vlan
	case layers.LayerTypeLinuxSLL:
		return &d.sll
	case layers.LayerTypeLinuxSLL2:
		return &d.sll2
	case layers.LayerTypeGRE:
		return &d.gre
	case layers.LayerTypeERSPANII:
		return &d.erspan
	case layers.LayerTypeUDP:
		return &d.udp // leads to VXLAN and Geneve by port
	case layers.LayerTypeVXLAN:
		return &d.vxlan
	case layers.LayerTypeGeneve:
		return &d.geneve
	}
	if layers.LayerClassIPv6Extension.Contains(t) {
		return &d.ext6
	}
	return nil
}
