package capture_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/capturetest"
	"github.com/nspiproxy/nspiproxy/proxy/capture"
	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// call is a connection with one call in a file of its own.
func call() []byte {
	c := capturetest.NewTalk()
	return capturetest.Pcap(capturetest.LinkEthernet,
		c.SYN(), c.SYNACK(), c.Client(capturetest.Request(1, 7, 8)), c.Server(capturetest.Response(1, 8)))
}

func TestPDUTellsWhoseItIs(t *testing.T) {
	pdus, r, err := read(t, call())
	if err != nil || len(pdus) != 2 {
		t.Fatalf("%d PDUs, error %v", len(pdus), err)
	}
	p, q := pdus[0], pdus[1]
	if p.Dir != rpcparse.ClientToServer || q.Dir != rpcparse.ServerToClient || p.Connection != q.Connection {
		t.Errorf("directions %v and %v", p.Dir, q.Dir)
	}
	if c := p.Connection; c.Client.String() != "10.0.0.1:50000" || c.Server.String() != "10.0.0.2:135" {
		t.Errorf("client %v, server %v", c.Client, c.Server)
	}
	if !bytes.Equal(p.Bytes, capturetest.Request(1, 7, 8)) || p.Err != nil || p.Resumed || p.Ahead || p.Skipped != 0 || p.Cut != 0 {
		t.Errorf("PDU %+v", p)
	}
	if p.Time.Unix() != 1700000002 {
		t.Errorf("time %v", p.Time)
	}
	if c := r.Counts(); c != (capture.Counts{Frames: 4, Connections: 1, PDUs: 2}) {
		t.Errorf("counts %+v", c)
	}
}

func TestFilesThatCannotBeReadSayWhy(t *testing.T) {
	whole := call()
	wireless := bytes.Clone(whole)
	wireless[20] = 105
	netmon := append([]byte("GMBU"), make([]byte, 100)...)
	long := bytes.Clone(whole)
	long[24+8+3] = 0x7f // the length of the first frame
	damaged := gzipped(t, whole)
	damaged[len(damaged)/2] ^= 0xff
	mixed := capturetest.PcapNG(7, capturetest.Frame{Data: []byte("ARCnet")})

	tests := []struct {
		name  string
		file  []byte
		pdus  int
		frame int
		text  string
	}{
		{"empty", nil, 0, 0, "the file is empty"},
		{"text", []byte("hello, world"), 0, 0, `begins with 68 65 6c 6c, which is text: "hello, world"`},
		{"three bytes", []byte{0xd4, 0xc3, 0xb2}, 0, 0, "neither pcap nor pcapng: the file begins with d4 c3 b2"},
		{"inside the header", whole[:20], 0, 0, "the file ends inside its header"},
		{"inside the pcapng header", capturetest.PcapNG(1)[:20], 0, 0, "the file ends inside its header"},
		{"Network Monitor", netmon, 0, 0, "convert it with editcap -F pcapng -T ether FILE OUT.pcapng"},
		{"Network Monitor 1", []byte("RTSS\x01\x01\x01\x00"), 0, 0, "convert it with editcap -F pcapng -T ether FILE OUT.pcapng"},
		{"event trace", append([]byte{0, 0, 1, 0}, make([]byte, 100)...), 0, 0, "pktmon etl2pcap FILE --out OUT.pcapng"},
		{"four bytes of an event trace", []byte{0, 0x40, 0, 0}, 0, 0, "etl2pcapng.exe FILE OUT.pcapng"},
		{"zip", []byte("PK\x03\x04\x14\x00"), 0, 0, "unzip -p FILE | nspiproxy decode -"},
		{"lz4", []byte{0x04, 0x22, 0x4d, 0x18, 0x64}, 0, 0, "lz4 -dc FILE | nspiproxy decode -"},
		{"an unknown format", []byte{1, 2, 3, 4, 5}, 0, 0, "begins with 01 02 03 04; if Wireshark opens it, convert it with editcap -F pcapng FILE OUT.pcapng"},
		{"escape characters", []byte("\x1b[31mred"), 0, 0, "begins with 1b 5b 33 31; if"},
		{"modified pcap, inside the header", capturetest.PcapModified(capturetest.LinkEthernet)[:20], 0, 0, "the file ends inside its header"},
		{"modified pcap, a link type", capturetest.PcapModified(105), 0, 0, "link type 105 (802.11) is not"},
		{"a link type nobody reads", wireless, 0, 0, "link type 105"},
		{"an interface nobody reads", mixed, 0, 0, "none of its frames can be read: 1 of interface 0 (link type 7, ARCnet)"},
		{"inside the last frame", whole[:len(whole)-1], 1, 4, "the file ends inside this frame"},
		{"behind a frame's header", whole[:24+16], 0, 1, "the file ends inside this frame"},
		{"inside a frame's header", whole[:24+10], 0, 1, "the file ends inside this frame"},
		{"a frame of 2 GB", long, 0, 1, "exceeds"},
		{"damaged compression", damaged, 0, 1, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pdus, _, err := read(t, tt.file)
			var f *capture.FileError
			if !errors.As(err, &f) || len(pdus) > tt.pdus {
				t.Fatalf("%d PDUs, error %v", len(pdus), err)
			}
			if tt.text == "" {
				return
			}
			if f.Frame != tt.frame || !strings.Contains(err.Error(), tt.text) || len(pdus) != tt.pdus {
				t.Errorf("%d PDUs, frame %d, error %q", len(pdus), f.Frame, err)
			}
		})
	}
}

func gzipped(t testing.TB, file []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(file); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestCompressedFilesAreRead(t *testing.T) {
	c := capturetest.NewTalk()
	ng := capturetest.PcapNG(capturetest.LinkEthernet, c.SYN(), c.SYNACK(), c.Client(capturetest.Request(1, 7, 8)))
	for _, file := range [][]byte{gzipped(t, call()), gzipped(t, ng)} {
		pdus, _, err := read(t, file)
		if err != nil || len(pdus) == 0 {
			t.Errorf("%d PDUs, error %v", len(pdus), err)
		}
	}
}

func TestGapIsToldAndCounted(t *testing.T) {
	c := capturetest.NewTalk()
	request := capturetest.Request(1, 0, 100)
	frames := []capturetest.Frame{c.SYN(), c.SYNACK(), c.Client(request[:50])}
	c.Lose(20)
	frames = append(frames, c.Client(request[70:], capturetest.Request(2, 0, 8)), c.Server(capturetest.Response(2, 8)))
	r, err := capture.NewReader(bytes.NewReader(capturetest.Pcap(capturetest.LinkEthernet, frames...)))
	if err != nil {
		t.Fatal(err)
	}
	var notes []string
	r.Note = func(n capture.Note) { notes = append(notes, n.String()) }
	p, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	if p.Header.CallID != 2 || !p.Resumed || p.Skipped != len(request) {
		t.Errorf("call %d, resumed %t, skipped %d of %d bytes", p.Header.CallID, p.Resumed, p.Skipped, len(request))
	}
	if q, err := r.Next(); err != nil || !q.Ahead || q.Resumed {
		t.Errorf("answer %+v, error %v; it acknowledges what was not captured", q, err)
	}
	if want := []string{"frame 4: stream 0: 10.0.0.1:50000: 20 bytes were not captured"}; !slices.Equal(notes, want) {
		t.Errorf("notes %q, want %q", notes, want)
	}
	if n := r.Counts().Gaps; n != 1 {
		t.Errorf("%d gaps", n)
	}
}

func TestPDUThatWasCutShowsItsHeader(t *testing.T) {
	c := capturetest.NewTalk()
	frames := []capturetest.Frame{c.SYN(), c.SYNACK()}
	request := capturetest.Request(1, 7, 100)
	f := c.Client(request)
	frames = append(frames, capturetest.Frame{Data: f.Data[:14+40+30], Sent: len(f.Data)}, c.Client(capturetest.Request(2, 7, 8)))
	pdus, _, err := read(t, capturetest.Pcap(capturetest.LinkEthernet, frames...))
	if err != nil || len(pdus) != 2 {
		t.Fatalf("%d PDUs, error %v", len(pdus), err)
	}
	if p := pdus[0]; p.Cut != len(request)-30 || !bytes.Equal(p.Bytes, request[:30]) || int(p.Header.FragLength) != len(request) {
		t.Errorf("cut %d, %d bytes, frag_length %d", p.Cut, len(p.Bytes), p.Header.FragLength)
	}
	if p := pdus[1]; !p.Resumed || p.Skipped != len(request)-30 {
		t.Errorf("the next: resumed %t, skipped %d", p.Resumed, p.Skipped)
	}
}

func TestWrongPDUsAreShownWithTheirError(t *testing.T) {
	c := capturetest.NewTalk()
	wrong := capturetest.Request(2, 7, 8)
	wrong[10] = 200
	frames := []capturetest.Frame{c.SYN(), c.SYNACK(), c.Client(wrong, capturetest.Response(3, 8), capturetest.Request(4, 7, 8))}
	pdus, _, err := read(t, capturetest.Pcap(capturetest.LinkEthernet, frames...))
	if err != nil || len(pdus) != 3 {
		t.Fatalf("%d PDUs, error %v", len(pdus), err)
	}
	for i, name := range []string{"auth_length", "ptype", ""} {
		var e *rpcparse.Error
		if errors.As(pdus[i].Err, &e) != (name != "") || name != "" && e.Name != name {
			t.Errorf("PDU %d: error %v, want %q", i, pdus[i].Err, name)
		}
	}
}

func TestConnectionsAfterTheirEndAreOthers(t *testing.T) {
	c := capturetest.NewTalk()
	frames := []capturetest.Frame{c.SYN(), c.SYNACK(), c.Client(capturetest.Request(1, 7, 8))}
	frames = append(frames, c.FromServer(capturetest.RST, nil).Frame(), c.Client(capturetest.Request(2, 7, 8)))
	pdus, _, err := read(t, capturetest.Pcap(capturetest.LinkEthernet, frames...))
	if err != nil || len(pdus) != 2 {
		t.Fatalf("%d PDUs, error %v", len(pdus), err)
	}
	if pdus[0].Connection == pdus[1].Connection || pdus[0].Connection.Stream != pdus[1].Connection.Stream || !pdus[1].Resumed {
		t.Errorf("connections %+v and %+v, resumed %t", pdus[0].Connection, pdus[1].Connection, pdus[1].Resumed)
	}
}

func TestAcknowledgementsAheadOfTheDataGiveUpNothing(t *testing.T) {
	c := capturetest.NewTalk()
	frames := []capturetest.Frame{c.SYN(), c.SYNACK()}
	first, second := c.Client(capturetest.Request(1, 7, 8)), c.Client(capturetest.Request(2, 7, 8))
	frames = append(frames, second, c.Server(nil), first) // as two queues of a network card deliver them
	pdus, r, err := read(t, capturetest.Pcap(capturetest.LinkEthernet, frames...))
	if err != nil || len(pdus) != 2 || pdus[1].Resumed || r.Counts().Gaps != 0 {
		t.Errorf("%d PDUs, error %v, counts %+v", len(pdus), err, r.Counts())
	}
}

func BenchmarkReader(b *testing.B) {
	c := capturetest.NewTalk()
	frames := []capturetest.Frame{c.SYN(), c.SYNACK(), c.Client(capturetest.Bind(1)), c.Server(capturetest.BindAck(1))}
	for i := range uint32(1000) {
		frames = append(frames, c.Client(capturetest.Request(i+2, 3, 200)), c.Server(capturetest.Response(i+2, 1000)))
	}
	file := capturetest.Pcap(capturetest.LinkEthernet, frames...)
	b.SetBytes(int64(len(file)))
	b.ReportAllocs()
	for b.Loop() {
		pdus, _, err := read(b, file)
		if err != nil || len(pdus) != 2002 {
			b.Fatalf("%d PDUs, error %v", len(pdus), err)
		}
	}
}
