package rpcparse

import "testing"

func BenchmarkParseHeader(b *testing.B) {
	pdu := golden(b, "NspiBind request")
	b.ReportAllocs()
	for b.Loop() {
		h, err := ParseHeader(pdu)
		if err != nil {
			b.Fatal(err)
		}
		sink += int(h.FragLength)
	}
}

// BenchmarkPeekRequest is what the relay does to each request: the header,
// then opnum, context id and trailer. Target: under 30 ns, no allocation.
func BenchmarkPeekRequest(b *testing.B) {
	benchmarkPeek(b, "NspiUnbind request with a dummy verifier", func(pdu []byte) (int, error) {
		x, err := ParseRequest(pdu)
		return int(x.Opnum) + len(x.Stub), err
	})
}

// BenchmarkPeekResponse is the same for a sealed response.
func BenchmarkPeekResponse(b *testing.B) {
	benchmarkPeek(b, "sealed response", func(pdu []byte) (int, error) {
		x, err := ParseResponse(pdu)
		return len(x.Stub), err
	})
}

func benchmarkPeek(b *testing.B, name string, parse func([]byte) (int, error)) {
	pdu := golden(b, name)
	b.ReportAllocs()
	for b.Loop() {
		h, err := ParseHeader(pdu)
		if err != nil {
			b.Fatal(err)
		}
		n, err := parse(pdu)
		if err != nil {
			b.Fatal(err)
		}
		sink += n + int(h.CallID)
	}
}

// BenchmarkBind parses a bind of three contexts and walks them with their
// transfer syntaxes. Target: under 150 ns.
func BenchmarkBind(b *testing.B) {
	pdu := golden(b, "bind of three contexts")
	b.ReportAllocs()
	for b.Loop() {
		sink += walkBind(b, pdu)
	}
}

func BenchmarkBindAck(b *testing.B) {
	pdu := golden(b, "bind_ack of three results")
	b.ReportAllocs()
	for b.Loop() {
		sink += walkBindAck(b, pdu)
	}
}

func BenchmarkAppendResponse(b *testing.B) {
	x := Response{Header: Header{Flags: FlagsWhole, Drep: DrepLittleEndian, CallID: 3}, AllocHint: 28, Stub: make([]byte, 28)}
	buf := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		out, err := AppendResponse(buf, x)
		if err != nil {
			b.Fatal(err)
		}
		sink += len(out)
	}
}

// BenchmarkFramer frames a stream in one piece and byte by byte: the time per
// byte must not depend on the length of the stream.
func BenchmarkFramer(b *testing.B) {
	stream, pdus := goldenStream(b, ClientToServer)
	for name, size := range map[string]int{"whole": len(stream), "bytewise": 1} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(stream)))
			b.ReportAllocs()
			for b.Loop() {
				f := new(Framer)
				start, n := 0, 0
				for end := size; end <= len(stream); end += size {
					for start < end {
						pdu, _, err := f.Next(stream[start:end])
						if err != nil {
							b.Fatal(err)
						}
						if pdu == nil {
							break
						}
						start += len(pdu)
						n++
					}
				}
				if n != len(pdus) {
					b.Fatalf("%d PDUs", n)
				}
			}
		})
	}
}
