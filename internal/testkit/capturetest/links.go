package capturetest

import (
	"encoding/binary"
	"net/netip"
)

// linkTypes shows the same exchange in every encapsulation.
func linkTypes() []Scenario {
	v4, v6 := exchange(NewTalk()), exchange(talk6())
	both := append(append([][]byte(nil), v4...), v6...)
	all := []Scenario{
		{Name: "Ethernet", File: Pcap(LinkEthernet, wrap(both, Ethernet)...)},
		{Name: "Ethernet, big-endian file", File: PcapBigEndian(LinkEthernet, wrap(both, Ethernet)...)},
		{Name: "Ethernet, nanoseconds", File: PcapNanoseconds(LinkEthernet, wrap(both, Ethernet)...)},
		{Name: "Ethernet, modified pcap", File: PcapModified(LinkEthernet, wrap(both, Ethernet)...)},
		{Name: "Ethernet, pcapng", File: PcapNG(LinkEthernet, wrap(both, Ethernet)...)},
		{Name: "VLAN", File: Pcap(LinkEthernet, wrap(both, vlan)...)},
		{Name: "two VLAN tags", File: Pcap(LinkEthernet, wrap(both, vlans)...)},
		{Name: "raw IP", File: Pcap(LinkRaw, wrap(both, plain)...)},
		{Name: "Linux cooked", File: Pcap(LinkSLL, wrap(both, SLL)...)},
		{Name: "Linux cooked 2", File: Pcap(LinkSLL2, wrap(both, SLL2)...)},
		{Name: "BSD loopback, little-endian", File: Pcap(LinkNull, wrap(both, func(ip []byte) []byte { return Loopback(ip, binary.LittleEndian) })...)},
		{Name: "BSD loopback, big-endian", File: Pcap(LinkNull, wrap(both, func(ip []byte) []byte { return Loopback(ip, binary.BigEndian) })...)},
		{Name: "OpenBSD loopback", File: Pcap(LinkLoop, wrap(both, func(ip []byte) []byte { return Loopback(ip, binary.BigEndian) })...)},
		{Name: "IP in IP", File: Pcap(LinkEthernet, wrap(both, ipInIP)...)},
		{Name: "GRE", File: Pcap(LinkEthernet, wrap(both, gre)...)},
		{Name: "VXLAN", File: Pcap(LinkEthernet, wrap(both, vxlan)...)},
		{Name: "IPv6 extension headers", File: Pcap(LinkRaw, wrap(append(append([][]byte(nil), v4...), extended(v6)...), plain)...)},
	}
	all = append(all, tunnels(both)...)
	for i := range all {
		all[i].Streams = 2
		all[i].PDUs = []string{"3 0 0 1", "4 0 2 1", "7 1 0 1", "8 1 2 1"}
	}
	return append(all, offloaded(), fragmented(), fragmented6())
}

// exchange is a connection with one call: four IP packets.
func exchange(t *Talk) [][]byte {
	return [][]byte{
		t.FromClient(SYN, nil).IP(), t.FromServer(SYN|ACK, nil).IP(),
		t.FromClient(ACK, Request(1, 0, 8)).IP(), t.FromServer(ACK, Response(1, 8)).IP(),
	}
}

func talk6() *Talk {
	t := NewTalk()
	t.ClientEnd = netip.MustParseAddrPort("[2001:db8::1]:50000")
	t.ServerEnd = netip.MustParseAddrPort("[2001:db8::2]:135")
	return t
}

func wrap(packets [][]byte, in func([]byte) []byte) []Frame {
	frames := make([]Frame, len(packets))
	for i, p := range packets {
		frames[i] = Frame{Data: in(p)}
	}
	return frames
}

func plain(ip []byte) []byte { return ip }

func vlan(ip []byte) []byte { return VLAN(Ethernet(ip), 0x8100, 5) }

func vlans(ip []byte) []byte { return VLAN(VLAN(Ethernet(ip), 0x8100, 5), 0x88a8, 7) }

var tunnel = [2]netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")}

func ipInIP(ip []byte) []byte {
	protocol := byte(4)
	if ip[0]>>4 == 6 {
		protocol = 41
	}
	return Ethernet(IPv4(tunnel[0], tunnel[1], protocol, ip))
}

func gre(ip []byte) []byte {
	return Ethernet(IPv4(tunnel[0], tunnel[1], 47, append(etherType([]byte{0, 0}, ip), ip...)))
}

func vxlan(ip []byte) []byte {
	return Ethernet(IPv4(tunnel[0], tunnel[1], 17, UDP(40000, 4789, append([]byte{8, 0, 0, 0, 0, 0, 5, 0}, Ethernet(ip)...))))
}

// extended puts a destination options header before TCP.
func extended(packets [][]byte) [][]byte {
	var out [][]byte
	for _, p := range packets {
		src, dst := netip.AddrFrom16([16]byte(p[8:24])), netip.AddrFrom16([16]byte(p[24:40]))
		options := []byte{6, 0, 1, 4, 0, 0, 0, 0} // TCP follows; one option of padding
		out = append(out, IPv6(src, dst, 60, append(options, p[40:]...)))
	}
	return out
}

func offloaded() Scenario {
	t := NewTalk()
	packet := func(s Segment) []byte { return IPv4Offloaded(s.From.Addr(), s.To.Addr(), 6, s.TCP()) }
	return Scenario{
		Name: "packets that the network card has yet to cut have no length", Streams: 1, PDUs: []string{"3 0 0 1", "4 0 2 1"},
		File: Pcap(LinkRaw, Whole(packet(t.FromClient(SYN, nil)), packet(t.FromServer(SYN|ACK, nil)),
			packet(t.FromClient(ACK, Request(1, 0, 3000))), packet(t.FromServer(ACK, Response(1, 8))))...),
	}
}

func fragmented() Scenario {
	t := NewTalk()
	syn := t.FromClient(SYN, nil).IP()
	s := t.FromClient(ACK, Request(1, 0, 200))
	b := s.TCP()
	piece := func(from, to int) []byte {
		return IPv4Fragment(s.From.Addr(), s.To.Addr(), 6, from, to < len(b), b[from:to])
	}
	return Scenario{
		Name: "IP fragments", Streams: 1, PDUs: []string{"4 0 0 1"},
		File: Pcap(LinkRaw, Whole(syn, piece(128, len(b)), piece(0, 64), piece(64, 128))...),
	}
}

func fragmented6() Scenario {
	t := talk6()
	syn := t.FromClient(SYN, nil).IP()
	s := t.FromClient(ACK, Request(1, 0, 200))
	b := s.TCP()
	piece := func(from, to int) []byte {
		field := uint16(from)
		if to < len(b) {
			field |= 1
		}
		header := be.AppendUint32(be.AppendUint16([]byte{6, 0}, field), 99)
		return IPv6(s.From.Addr(), s.To.Addr(), 44, append(header, b[from:to]...))
	}
	whole := IPv6(s.From.Addr(), s.To.Addr(), 44, append([]byte{6, 0, 0, 0, 0, 0, 0, 98}, t.FromClient(ACK, Request(2, 0, 8)).TCP()...))
	return Scenario{
		Name: "IPv6 fragments, and a fragment header on a whole packet", Streams: 1, PDUs: []string{"4 0 0 1", "5 0 0 2"},
		File: Pcap(LinkRaw, Whole(syn, piece(0, 64), piece(128, len(b)), piece(64, 128), whole)...),
	}
}
