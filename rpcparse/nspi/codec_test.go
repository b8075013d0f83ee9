package nspi

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"

	"pgregory.net/rapid"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// unhex decodes hex with spaces and line breaks, or with "|" between fields.
func unhex(t rapid.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.NewReplacer(" ", "", "\n", "", "\t", "", "|", "").Replace(s))
	if err != nil {
		t.Fatalf("bad hex in a test: %v", err)
	}
	return b
}

// codec is a stub's parser and encoder, so that one set of checks serves all four.
type codec[T comparable] struct {
	parse  func([]byte, Syntax, wire.Order) (T, error)
	append func([]byte, T, Syntax, wire.Order) []byte
	length func(T, Syntax) int
}

var (
	bindRequests    = codec[BindRequest]{ParseBindRequest, AppendBindRequest, BindRequest.Len}
	bindResponses   = codec[BindResponse]{ParseBindResponse, AppendBindResponse, BindResponse.Len}
	unbindRequests  = codec[UnbindRequest]{ParseUnbindRequest, AppendUnbindRequest, UnbindRequest.Len}
	unbindResponses = codec[UnbindResponse]{ParseUnbindResponse, AppendUnbindResponse, UnbindResponse.Len}
)

// encodings are all that a stub may be in.
var encodings = []struct {
	name   string
	syntax Syntax
	order  wire.Order
}{
	{"ndr little-endian", NDR, wire.LittleEndian},
	{"ndr big-endian", NDR, wire.BigEndian},
	{"ndr64", NDR64, wire.LittleEndian},
}

// check appends v behind other bytes, expects Len to be right, the same value
// back, and failure for every stub that is shorter or one byte longer.
func (c codec[T]) check(t rapid.TB, v T, s Syntax, o wire.Order) {
	t.Helper()
	front := []byte("front")
	all := c.append(bytes.Clone(front), v, s, o)
	if !bytes.HasPrefix(all, front) {
		t.Fatalf("append changed what was there: %x", all)
	}
	stub := all[len(front):]
	if len(stub) != c.length(v, s) {
		t.Errorf("appended %d bytes, Len says %d", len(stub), c.length(v, s))
	}
	got, err := c.parse(stub, s, o)
	if err != nil {
		t.Fatalf("parsing %x: %v", stub, err)
	}
	if got != v {
		t.Errorf("round trip: got %+v, want %+v", got, v)
	}
	for n := range stub {
		c.mustFail(t, stub[:n], s, o)
	}
	c.mustFail(t, append(stub, 0), s, o)
}

// mustFail expects an error of class invalid and the zero value.
func (c codec[T]) mustFail(t rapid.TB, stub []byte, s Syntax, o wire.Order) {
	t.Helper()
	got, err := c.parse(stub, s, o)
	if !errors.Is(err, &wire.Error{Class: wire.ClassInvalid}) {
		t.Errorf("%d bytes %x: error %v, want one of class invalid", len(stub), stub, err)
	}
	var zero T
	if got != zero {
		t.Errorf("%d bytes: a value came with the error: %+v", len(stub), got)
	}
}
