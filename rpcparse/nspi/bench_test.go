package nspi

import (
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

func TestStubsAreReadAndWrittenWithoutAllocating(t *testing.T) {
	request := unhex(t, exBindRequest+smbTrailer)
	response := unhex(t, exBindGranted)
	unbind := unhex(t, exUnbindRequest)
	unbound := unhex(t, exUnbindResponse)
	buf := make([]byte, 0, 64)
	for name, f := range map[string]func(){
		"ParseBindRequest":    func() { _, _ = ParseBindRequest(request, NDR, wire.LittleEndian) },
		"ParseBindResponse":   func() { _, _ = ParseBindResponse(response, NDR, wire.LittleEndian) },
		"ParseUnbindRequest":  func() { _, _ = ParseUnbindRequest(unbind, NDR, wire.LittleEndian) },
		"ParseUnbindResponse": func() { _, _ = ParseUnbindResponse(unbound, NDR, wire.LittleEndian) },
		"AppendBindFailure":   func() { AppendBindFailure(buf, NDR, FormSpec, BindRequest{}) },
		"ClassifyBindAnswer":  func() { ClassifyBindAnswer(120, 44, NDR) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkParseBindRequest(b *testing.B) {
	stub := unhex(b, exBindRequest+smbTrailer)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseBindRequest(stub, NDR, wire.LittleEndian); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseBindResponse(b *testing.B) {
	stub := unhex(b, exBindGranted)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseBindResponse(stub, NDR, wire.LittleEndian); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseUnbindRequest(b *testing.B) {
	stub := unhex(b, exUnbindRequest)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseUnbindRequest(stub, NDR, wire.LittleEndian); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendBindFailure(b *testing.B) {
	buf := make([]byte, 0, 64)
	b.ReportAllocs()
	for b.Loop() {
		AppendBindFailure(buf, NDR, FormSpec, BindRequest{})
	}
}

func BenchmarkHandleString(b *testing.B) {
	h := Handle{4: 1}
	b.ReportAllocs()
	for b.Loop() {
		_ = h.String()
	}
}
