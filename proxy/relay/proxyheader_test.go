package relay

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// proxy2 makes a header of version 2.
func proxy2(command, family byte, body ...[]byte) []byte {
	b := append([]byte(proxySignature2), 0x20|command, family)
	all := slices.Concat(body...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(all)))
	return append(b, all...)
}

// addresses makes the address block of version 2.
func addresses(from, to string) []byte {
	a, b := netip.MustParseAddrPort(from), netip.MustParseAddrPort(to)
	out := append(a.Addr().AsSlice(), b.Addr().AsSlice()...)
	out = binary.BigEndian.AppendUint16(out, a.Port())
	return binary.BigEndian.AppendUint16(out, b.Port())
}

// tlv makes a type-length-value of version 2.
func tlv(kind byte, size int) []byte {
	return append(binary.BigEndian.AppendUint16([]byte{kind}, uint16(size)), make([]byte, size)...)
}

// proxyHeaders are headers that are accepted, and the client's address in them and what it
// connected to; "": the address of that end of the socket.
var proxyHeaders = map[string]struct {
	header []byte
	client string
	to     string // what the client connected to
}{
	"v1 IPv4":       {[]byte("PROXY TCP4 192.0.2.7 10.0.0.2 1024 135\r\n"), "192.0.2.7:1024", "10.0.0.2:135"},
	"v1 IPv6":       {[]byte("PROXY TCP6 2001:db8::7 2001:db8::1 65535 6004\r\n"), "[2001:db8::7]:65535", "[2001:db8::1]:6004"},
	"v1 mapped":     {[]byte("PROXY TCP6 ::ffff:192.0.2.7 ::1 1 135\r\n"), "192.0.2.7:1", "[::1]:135"},
	"v1 to nowhere": {[]byte("PROXY TCP4 192.0.2.7 0.0.0.0 1024 135\r\n"), "192.0.2.7:1024", ""},
	"v1 unknown":    {[]byte("PROXY UNKNOWN\r\n"), "", ""},
	"v1 unknown with addresses": {[]byte("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
		"", ""},
	"v2 IPv4":                {proxy2(1, 0x11, addresses("192.0.2.7:1024", "10.0.0.2:135")), "192.0.2.7:1024", "10.0.0.2:135"},
	"v2 IPv6":                {proxy2(1, 0x21, addresses("[2001:db8::7]:65535", "[2001:db8::1]:6004")), "[2001:db8::7]:65535", "[2001:db8::1]:6004"},
	"v2 mapped":              {proxy2(1, 0x21, addresses("[::ffff:192.0.2.7]:1", "[::1]:135")), "192.0.2.7:1", "[::1]:135"},
	"v2 with TLVs":           {proxy2(1, 0x11, addresses("192.0.2.7:1024", "10.0.0.2:135"), tlv(0xea, 21), tlv(0x04, 0), tlv(0x20, 300)), "192.0.2.7:1024", "10.0.0.2:135"},
	"v2 as long as possible": {proxy2(1, 0x11, addresses("192.0.2.7:1024", "10.0.0.2:135"), tlv(0x04, maxProxyHeader-proxyPrefix-12-3)), "192.0.2.7:1024", "10.0.0.2:135"},
	"v2 local":               {proxy2(0, 0x00), "", ""},
	"v2 local with addresses, which do not count": {proxy2(0, 0x11, addresses("192.0.2.7:1024", "10.0.0.2:135")), "", ""},
	"v2 local of a family that does not exist":    {proxy2(0, 0x13, []byte("ignored")), "", ""},
	"v2 unspecified":           {proxy2(1, 0x00), "", ""},
	"v2 unspecified with TLVs": {proxy2(1, 0x00, tlv(0x04, 7), tlv(0x20, 40)), "", ""},
	"v2 unspecified with addresses, which do not count": {proxy2(1, 0x00, addresses("192.0.2.7:1024", "10.0.0.2:135")), "", ""},
	"v2 UNIX socket": {proxy2(1, 0x31, make([]byte, 216)), "", ""},
}

// badProxyHeaders are not accepted; with what the error has to contain.
var badProxyHeaders = map[string]struct {
	header []byte
	why    string
}{
	"none":                 {[]byte("GET / HTTP/1.1\r\nHost: dc1.lab.example\r\n\r\n"), `no PROXY header but "GET / HTTP/1.1\r\nHost: dc"`},
	"a bind":               {bindPDU(binary.LittleEndian, 0), "no PROXY header"},
	"almost one":           {[]byte("PROXYTCP4 192.0.2.7 10.0.0.2 1024 135\r\n"), "no PROXY header"},
	"escape characters":    {[]byte("\x1b[31mred\r\n"), `\x1b[31mred`},
	"v1 too long":          {[]byte("PROXY UNKNOWN " + strings.Repeat("f", 92) + "\r\n"), "more than 107"},
	"v1 bare line feed":    {[]byte("PROXY TCP4 192.0.2.7 10.0.0.2 1024 135\n\r\n"), "end with"},
	"v1 no address":        {[]byte("PROXY TCP4 dc1 10.0.0.2 1024 135\r\n"), "address"},
	"v1 zone":              {[]byte("PROXY TCP6 fe80::1%eth0 ::1 1024 135\r\n"), "address"},
	"v1 other family":      {[]byte("PROXY TCP4 2001:db8::7 2001:db8::1 1024 135\r\n"), "address"},
	"v1 port too high":     {[]byte("PROXY TCP4 192.0.2.7 10.0.0.2 65536 135\r\n"), "port"},
	"v1 port 0":            {[]byte("PROXY TCP4 192.0.2.7 10.0.0.2 0 135\r\n"), "192.0.2.7:0"},
	"v1 unspecified":       {[]byte("PROXY TCP4 0.0.0.0 10.0.0.2 1024 135\r\n"), "0.0.0.0:1024"},
	"v1 multicast":         {[]byte("PROXY TCP6 ff02::1 ::1 1024 135\r\n"), "ff02::1"},
	"v1 broadcast":         {[]byte("PROXY TCP4 255.255.255.255 10.0.0.2 1024 135\r\n"), "255.255.255.255"},
	"v1 mapped multicast":  {[]byte("PROXY TCP6 ::ffff:224.0.0.1 ::1 1024 135\r\n"), "224.0.0.1"},
	"v1 without addresses": {[]byte("PROXY TCP4\r\n"), "family"},
	"v2 other version":     {append([]byte(proxySignature2), 0x31, 0x11, 0, 0), "version"},
	"v2 other command":     {proxy2(2, 0x11, addresses("192.0.2.7:1024", "10.0.0.2:135")), "command"},
	"v2 unknown family":    {proxy2(1, 0x13, addresses("192.0.2.7:1024", "10.0.0.2:135")), "family"},
	"v2 datagrams":         {proxy2(1, 0x12, addresses("192.0.2.7:1024", "10.0.0.2:135")), "datagrams"},
	"v2 no room":           {proxy2(1, 0x21, addresses("192.0.2.7:1024", "10.0.0.2:135")), "length"},
	"v2 port 0":            {proxy2(1, 0x11, addresses("192.0.2.7:0", "10.0.0.2:135")), "192.0.2.7:0"},
	"v2 unspecified IPv6":  {proxy2(1, 0x21, addresses("[::]:1024", "[::1]:135")), "[::]:1024"},
	"v2 multicast":         {proxy2(1, 0x11, addresses("239.1.2.3:1024", "10.0.0.2:135")), "239.1.2.3"},
	"v2 too long":          {proxy2(1, 0x11, addresses("192.0.2.7:1024", "10.0.0.2:135"), tlv(4, maxProxyHeader-proxyPrefix-12-2)), "4113 bytes"},
}

func TestProxyHeaderIsFoundHoweverLittleOfItIsThere(t *testing.T) {
	for name, c := range proxyHeaders {
		t.Run(name, func(t *testing.T) {
			for n := range c.header {
				if got, err := proxyHeaderLen(c.header[:n]); got != 0 || err != nil {
					t.Fatalf("%d of %d bytes: %d, %v", n, len(c.header), got, err)
				}
			}
			for _, more := range [][]byte{nil, {5}, bindPDU(binary.LittleEndian, 7), []byte("\r\n")} {
				n, err := proxyHeaderLen(slices.Concat(c.header, more))
				if n != len(c.header) || err != nil {
					t.Fatalf("%d bytes: length %d, %v", len(c.header), n, err)
				}
			}
			from, to, err := parseProxyHeader(c.header)
			if err != nil {
				t.Fatal(err)
			}
			if got := to.String(); c.to == "" && to.IsValid() || c.to != "" && got != c.to {
				t.Errorf("it has connected to %v, not %q", got, c.to)
			}
			if got := from.String(); c.client == "" && from.IsValid() || c.client != "" && got != c.client {
				t.Errorf("the client is %v, not %q", got, c.client)
			}
		})
	}
}

func TestBadProxyHeaderIsRefused(t *testing.T) {
	for name, c := range badProxyHeaders {
		n, err := proxyHeaderLen(c.header)
		if err == nil && n > 0 {
			_, _, err = parseProxyHeader(c.header[:n])
		}
		if err == nil || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%s: %v, want %q", name, err, c.why)
		}
	}
}

func FuzzProxyHeader(f *testing.F) {
	for _, c := range proxyHeaders {
		f.Add(c.header)
	}
	for _, c := range badProxyHeaders {
		f.Add(c.header)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := proxyHeaderLen(b)
		if n < 0 || n > len(b) || n > maxProxyHeader || n > 0 && err != nil {
			t.Fatalf("%d bytes: %d, %v", len(b), n, err)
		}
		if n == 0 {
			if err == nil && len(b) >= maxProxyHeader {
				t.Fatal("more than the longest header is there, and it is waited for more")
			}
			return
		}
		for cut := range n { // every part of it is the start of the same header
			if k, err := proxyHeaderLen(b[:cut]); k != 0 || err != nil {
				t.Fatalf("%d of %d bytes: %d, %v", cut, n, k, err)
			}
		}
		header := bytes.Clone(b[:n])
		from, to, err := parseProxyHeader(b[:n])
		if !bytes.Equal(b[:n], header) {
			t.Fatal("the header was changed")
		}
		if err == nil && from.IsValid() && (!isUnicast(from) || from.Addr().Is4In6()) {
			t.Fatalf("a client at %v", from)
		}
		if to.IsValid() && (err != nil || !isUnicast(to) || to.Addr().Is4In6()) {
			t.Fatalf("a client of %v", to)
		}
	})
}
