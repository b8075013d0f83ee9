package capture

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/gopacket/gopacket/layers"

	"github.com/nspiproxy/nspiproxy/internal/testkit/capturetest"
)

var ends = [2]netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")}

// kindsOf reads frames, and returns what was left out and what else there was.
func kindsOf(t *testing.T, link uint32, frames ...[]byte) (left, others []LeftOut) {
	t.Helper()
	r := limited(t, capturetest.Pcap(link, capturetest.Whole(frames...)...), func(*limits) {})
	drain(t, r, func() {})
	return r.LeftOut(), r.Others()
}

func ethernetOf(etherType uint16, payload ...byte) []byte {
	b := append(make([]byte, 12), byte(etherType>>8), byte(etherType))
	return append(append(b, payload...), make([]byte, 46)...)
}

func TestFrameThatIsNoTCPIsCountedByItsReason(t *testing.T) {
	ip := func(protocol uint8, payload ...byte) []byte {
		return capturetest.Ethernet(capturetest.IPv4(ends[0], ends[1], protocol, payload))
	}
	udp := func(port uint16, payload ...byte) []byte { return ip(17, capturetest.UDP(5, port, payload)...) }
	six := func(next uint8, payload ...byte) []byte {
		a := netip.MustParseAddr("2001:db8::1")
		return capturetest.Ethernet(capturetest.IPv6(a, a, next, payload))
	}
	for _, tt := range []struct {
		frame    []byte
		name     string
		expected bool
	}{
		{ethernetOf(0x0806), "ARP", true},
		{ethernetOf(0x88cc), "LLDP", true},
		{ethernetOf(0x0026, 0x42, 0x42, 3), "802.2 LLC", true}, // spanning tree
		{ethernetOf(0x1234), "EtherType 0x1234", false},
		{ethernetOf(0x88e5, 0x2c), "EtherType 0x88e5 (MACsec, encrypted)", false},
		{ethernetOf(0x8864, 0x11, 0, 0, 1, 0, 8, 0xc0, 0x21), "PPP control", true},
		{ethernetOf(0x8864, 0x11, 0, 0, 1, 0, 8, 0x00, 0x3d), "PPP protocol 0x003d (multilink)", false},
		{ethernetOf(0x0800, 0x15), "a header that is malformed or cut off", false},
		{[]byte("short"), "a header that is malformed or cut off", false},
		{ip(2, 1), "IGMP", true},
		{ip(50, 1), "IP protocol 50 (ESP, encrypted)", false},
		{ip(99, 1), "IP protocol 99", false},
		{ip(60, 6, 0, 1, 4, 0, 0, 0, 0), "IP protocol 60", false}, // an extension header of IPv6
		{ip(6, 1, 2, 3), "a header that is malformed or cut off", false},
		{ip(47, 0, 0, 0x22, 0xeb, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), "a header that is malformed or cut off", false}, // ERSPAN III of version 1
		{six(58, 128, 0, 0, 0), "ICMP", true},
		{six(59), "no next header", true},
		{six(50, 1), "IP protocol 50 (ESP, encrypted)", false},
		{udp(53), "UDP", true},
		{udp(4500), "UDP port 4500 (ESP, encrypted)", false},
		{udp(1701), "UDP port 1701 (L2TP)", false},
		{udp(37008, 1, 0, 0, 18), "UDP port 37008", false}, // TZSP with 802.11
		{udp(4789, 8, 0), "a header that is malformed or cut off", false},
		{bytes.Repeat(append(make([]byte, 12), 0x65, 0x58), 30), "EtherType 0x6558", false},
	} {
		left, others := kindsOf(t, capturetest.LinkEthernet, tt.frame)
		if tt.name == "EtherType 0x6558" {
			tt.name = fmt.Sprintf("more than %d headers", maxLayers) // Ethernet in Ethernet in Ethernet
		}
		got, none := left, others
		if tt.expected {
			got, none = others, left
		}
		if want := []LeftOut{{tt.name, 1}}; !slices.Equal(got, want) || len(none) > 0 {
			t.Errorf("% x: left out %v, others %v, want %v", tt.frame[:min(len(tt.frame), 24)], left, others, want)
		}
	}
}

func TestKindsOfOmissionsAreBounded(t *testing.T) {
	var frames [][]byte
	for i := range 3 * maxOmissions {
		frames = append(frames, ethernetOf(uint16(0xa000+i)))
	}
	left, _ := kindsOf(t, capturetest.LinkEthernet, frames...)
	if len(left) != maxOmissions+1 || left[0] != (LeftOut{"others", 2 * maxOmissions}) {
		t.Errorf("%d kinds, the first is %v", len(left), left[0])
	}
	if s := Summary(left); strings.Count(s, ",") != 8 || !strings.HasSuffix(s, "57 of 57 other kinds") {
		t.Errorf("summary %q", s)
	}
}

// TestTunnelsThatAreCutAreCounted cuts the frames of every encapsulation everywhere: each is still a segment, or counted.
func TestTunnelsThatAreCutAreCounted(t *testing.T) {
	for _, s := range capturetest.Scenarios() {
		f, err := openFrames(bytes.NewReader(s.File))
		if err != nil {
			t.Fatal(err)
		}
		var d decoder
		d.fragments.limit = defaultLimits.fragments
		for frame, err := f.next(); err == nil; frame, err = f.next() {
			whole := bytes.Clone(frame.data)
			for n := range whole {
				frame.data = whole[:n]
				s, why, ok := d.decode(frame)
				if name, _ := why.name(); !ok && name == "" || ok && s.cut < 0 {
					t.Fatalf("%d of %d bytes: %+v, %+v", n, len(whole), s, why)
				}
			}
		}
	}
}

// FuzzFrame decodes whatever frame of whatever link type: without a panic, even one that would be caught.
func FuzzFrame(f *testing.F) {
	for _, s := range capturetest.Scenarios() {
		frames, err := openFrames(bytes.NewReader(s.File))
		if err != nil {
			f.Fatal(err)
		}
		if frame, err := frames.next(); err == nil {
			f.Add(uint16(frame.link), bytes.Clone(frame.data))
		}
	}
	f.Fuzz(func(t *testing.T, link uint16, data []byte) {
		var d decoder
		d.fragments.limit = defaultLimits.fragments
		s, why, ok := d.headers(frame{number: 1, data: data, link: layers.LinkType(link), iface: -1})
		if name, _ := why.name(); !ok && name == "" {
			t.Fatalf("%+v has no name", why)
		}
		if s.cut < 0 || len(s.data) > len(data) {
			t.Fatalf("%d bytes of %d, %d cut", len(s.data), len(data), s.cut)
		}
	})
}
