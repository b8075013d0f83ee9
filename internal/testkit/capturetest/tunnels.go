package capturetest

import (
	"encoding/binary"
	"slices"
)

// tunnels shows the same packets in what mirror ports, routers and packet filters put around them.
func tunnels(packets [][]byte) []Scenario {
	in := func(name string, link uint32, around func(ip []byte) []byte) Scenario {
		return Scenario{Name: name, File: Pcap(link, wrap(packets, around)...)}
	}
	greOf := func(flags byte, protocol uint16, more ...byte) func(inner []byte) []byte {
		return func(inner []byte) []byte {
			b := append(be.AppendUint16([]byte{flags, 0}, protocol), more...)
			return Ethernet(IPv4(tunnel[0], tunnel[1], 47, append(b, inner...)))
		}
	}
	udp := func(port uint16, header ...byte) func(inner []byte) []byte {
		return func(inner []byte) []byte {
			return Ethernet(IPv4(tunnel[0], tunnel[1], 17, UDP(40000, port, slices.Concat(header, inner))))
		}
	}
	ether := func(protocol uint16, header ...byte) func(inner []byte) []byte {
		return func(inner []byte) []byte {
			b := be.AppendUint16([]byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2}, protocol)
			return slices.Concat(b, header, inner)
		}
	}
	framed := func(around func([]byte) []byte) func([]byte) []byte {
		return func(ip []byte) []byte { return around(Ethernet(ip)) }
	}
	typed := func(around func([]byte) []byte) func([]byte) []byte { // the EtherType before the packet
		return func(ip []byte) []byte { return around(append(etherType(nil, ip), ip...)) }
	}
	ppped := func(around func([]byte) []byte) func([]byte) []byte {
		return func(ip []byte) []byte { return around(ppp(ip)) }
	}
	direct := func(header ...byte) func([]byte) []byte {
		return func(inner []byte) []byte { return slices.Concat(header, inner) }
	}
	return []Scenario{
		in("GRE with an Ethernet frame", LinkEthernet, framed(greOf(0x20, 0x6558, 0, 0, 5, 0))),
		in("GRE with PPP, as PPTP has it", LinkEthernet, pptp),
		in("GRE with MPLS", LinkEthernet, greOf(0, 0x8847, 0, 0, 0x11, 64)),
		in("ERSPAN I", LinkEthernet, framed(greOf(0, 0x88be))),
		in("ERSPAN II", LinkEthernet, framed(greOf(0x10, 0x88be, 0, 0, 0, 1, 0x10, 1, 0, 1, 0, 0, 0, 0))),
		in("ERSPAN III", LinkEthernet, framed(greOf(0x10, 0x22eb, 0, 0, 0, 1, 0x20, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0))),
		in("ERSPAN III with a subheader", LinkEthernet,
			framed(greOf(0x10, 0x22eb, 0, 0, 0, 1, 0x20, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0))),
		in("MPLS", LinkEthernet, ether(0x8847, 0, 0, 0x11, 64)),
		in("two MPLS labels", LinkEthernet, ether(0x8847, 0, 1, 0, 64, 0, 0, 0x21, 64)),
		pseudowire(in("MPLS with an Ethernet frame", LinkEthernet, framed(ether(0x8847, 0, 1, 1, 64))), "pwethnocw"),
		pseudowire(in("MPLS with an Ethernet frame and a control word", LinkEthernet, framed(ether(0x8847, 0, 1, 1, 64, 0, 0, 0, 0))), "pwethcw"),
		in("PPPoE", LinkEthernet, ppped(pppoe)),
		in("PPPoE without Ethernet", LinkPPPoE, ppped(pppoeHeader)),
		in("PPP", LinkPPP, ppped(direct())),
		in("PPP with address and control", LinkPPP, ppped(direct(0xff, 3))),
		in("PPP in HDLC", LinkPPPHDLC, ppped(direct(0xff, 3))),
		in("PPP with the direction", LinkPPPDir, ppped(direct(1))),
		in("Cisco HDLC", LinkCHDLC, typed(direct(0x0f, 0))),
		in("802.3 with SNAP", LinkEthernet, snap),
		in("QinQ of old", LinkEthernet, typed(ether(0x9100, 0, 7))),
		in("802.1ah", LinkEthernet, framed(ether(0x88e7, 0, 0, 0, 5))),
		in("VN-tag", LinkEthernet, typed(ether(0x8926, 0, 1, 0, 2))),
		in("Cisco metadata", LinkEthernet, typed(ether(0x8909, 1, 1, 0, 1, 0, 7))),
		in("MACsec in clear", LinkEthernet, macsec),
		in("VXLAN GPE with IP", LinkEthernet, vxlanGPE),
		in("GENEVE", LinkEthernet, framed(udp(6081, 0, 0, 0x65, 0x58, 0, 0, 5, 0))),
		in("GENEVE with an option", LinkEthernet, framed(udp(6081, 1, 0, 0x65, 0x58, 0, 0, 5, 0, 1, 2, 3, 0))),
		in("TZSP", LinkEthernet, framed(udp(37008, 1, 0, 0, 1, 10, 1, 7, 0, 1))),
		in("authentication header", LinkEthernet, authenticated),
		in("EtherIP", LinkEthernet, framed(func(b []byte) []byte {
			return Ethernet(IPv4(tunnel[0], tunnel[1], 97, append([]byte{0x30, 0}, b...)))
		})),
		in("IP in IPv6", LinkRaw, ipInIPv6),
		in("NFLOG", LinkNFLOG, func(ip []byte) []byte { return NFLOG(ip, binary.LittleEndian) }),
		{
			Name: "NFLOG of a big-endian machine",
			File: PcapBigEndian(LinkNFLOG, wrap(packets, func(ip []byte) []byte { return NFLOG(ip, binary.BigEndian) })...),
		},
		in("PFLOG", LinkPFLOG, pflog),
		in("OpenBSD enc", LinkENC, enc),
		in("per-packet information", LinkPPI, func(ip []byte) []byte {
			return slices.Concat([]byte{0, 0, 12, 0, 1, 0, 0, 0, 2, 0, 0, 0}, Ethernet(ip))
		}),
		{Name: "an interface that cannot be read", File: PcapNGMixed(wrap(packets, Ethernet))},
	}
}

// pseudowire tells tshark what is behind label 16, which no packet says.
func pseudowire(s Scenario, dissector string) Scenario {
	s.Options = []string{"-d", "mpls.label==16," + dissector}
	return s
}

// ppp puts the protocol before a packet.
func ppp(ip []byte) []byte {
	if ip[0]>>4 == 6 {
		return append([]byte{0, 0x57}, ip...)
	}
	return append([]byte{0, 0x21}, ip...)
}

func pppoeHeader(b []byte) []byte {
	return append(be.AppendUint16([]byte{0x11, 0, 0, 7}, uint16(len(b))), b...)
}

func pppoe(b []byte) []byte {
	return append([]byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0x64}, pppoeHeader(b)...)
}

// pptp is GRE of version 1, whose key is the length and the call (RFC 2637 4.1).
func pptp(ip []byte) []byte {
	b := ppp(ip)
	header := append(be.AppendUint16([]byte{0x30, 1, 0x88, 0x0b}, uint16(len(b))), 0, 9, 0, 0, 0, 1)
	return Ethernet(IPv4(tunnel[0], tunnel[1], 47, append(header, b...)))
}

func snap(ip []byte) []byte {
	b := append(etherType([]byte{0xaa, 0xaa, 3, 0, 0, 0}, ip), ip...)
	return append(be.AppendUint16([]byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2}, uint16(len(b))), b...)
}

// macsec is authenticated and not encrypted; its check value of 16 bytes comes last.
func macsec(ip []byte) []byte {
	b := []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xe5, 0x20, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0, 1}
	return slices.Concat(etherType(b, ip), ip, make([]byte, 16))
}

func vxlanGPE(ip []byte) []byte {
	header := []byte{0x0c, 0, 0, 1, 0, 0, 5, 0}
	if ip[0]>>4 == 6 {
		header[3] = 2
	}
	return Ethernet(IPv4(tunnel[0], tunnel[1], 17, UDP(40000, 4790, append(header, ip...))))
}

// authenticated has the packet in a tunnel with an authentication header (RFC 4302).
func authenticated(ip []byte) []byte {
	next := byte(4)
	if ip[0]>>4 == 6 {
		next = 41
	}
	header := append([]byte{next, 4, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1}, make([]byte, 12)...)
	return Ethernet(IPv4(tunnel[0], tunnel[1], 51, append(header, ip...)))
}

func ipInIPv6(ip []byte) []byte {
	next := byte(4)
	if ip[0]>>4 == 6 {
		next = 41
	}
	outer := talk6()
	return IPv6(outer.ClientEnd.Addr(), outer.ServerEnd.Addr(), next, ip)
}

// NFLOG writes what netfilter's log group hands over, with a prefix before the packet.
func NFLOG(ip []byte, o binary.AppendByteOrder) []byte {
	b := []byte{2, 0, 0, 5}
	if ip[0]>>4 == 6 {
		b[0] = 10
	}
	b = append(o.AppendUint16(o.AppendUint16(b, 6), 10), 'x', 0, 0, 0)
	b = o.AppendUint16(o.AppendUint16(b, uint16(4+len(ip))), 9)
	b = append(b, ip...)
	return append(b, make([]byte, (4-len(b)%4)%4)...)
}

func pflog(ip []byte) []byte {
	b := make([]byte, 64)
	b[0], b[1] = 61, 2
	if ip[0]>>4 == 6 {
		b[1] = 24
	}
	return append(b, ip...)
}

func enc(ip []byte) []byte {
	b := []byte{2, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0}
	if ip[0]>>4 == 6 {
		b[0] = 24
	}
	return append(b, ip...)
}
