package rfri

import (
	"bytes"
	"encoding/hex"
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

// codec is a stub's parser and encoder, so that one set of checks serves all.
type codec[T comparable] struct {
	parse  func([]byte, Syntax, wire.Order) (T, error)
	append func([]byte, T, Syntax, wire.Order) ([]byte, error)
}

var (
	newDSARequests = codec[NewDSARequest]{ParseNewDSARequest, AppendNewDSARequest}
	fqdnRequests   = codec[FQDNRequest]{ParseFQDNRequest, AppendFQDNRequest}
	newDSAAnswers  = codec[Answer]{parseOf(OpnumGetNewDSA), AppendAnswer}
	fqdnAnswers    = codec[Answer]{parseOf(OpnumGetFQDNFromServerDN), AppendAnswer}
)

func parseOf(opnum uint16) func([]byte, Syntax, wire.Order) (Answer, error) {
	return func(stub []byte, s Syntax, o wire.Order) (Answer, error) { return ParseAnswer(opnum, stub, s, o) }
}

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

// must encodes v behind other bytes, which must stay.
func (c codec[T]) must(t rapid.TB, v T, s Syntax, o wire.Order) []byte {
	t.Helper()
	const front = "odd"
	all, err := c.append([]byte(front), v, s, o)
	if err != nil || !strings.HasPrefix(string(all), front) {
		t.Fatalf("%+v: %q, %v", v, all, err)
	}
	return all[len(front):]
}

// check expects the same value back, and failure for every stub that is shorter
// or one byte longer.
func (c codec[T]) check(t rapid.TB, v T, s Syntax, o wire.Order) {
	t.Helper()
	stub := c.must(t, v, s, o)
	got, err := c.parse(stub, s, o)
	if err != nil || got != v {
		t.Fatalf("%x: got %+v, %v, want %+v", stub, got, err, v)
	}
	for n := range stub {
		c.mustFail(t, stub[:n:n], s, o, wire.ClassShort)
	}
	c.mustFail(t, append(bytes.Clone(stub), 0), s, o, wire.ClassInvalid)
}

// mustFail expects an error of one class and the zero value.
func (c codec[T]) mustFail(t rapid.TB, stub []byte, s Syntax, o wire.Order, class wire.Class) {
	t.Helper()
	got, err := c.parse(stub, s, o)
	if wire.ClassOf(err) != class {
		t.Errorf("%d bytes %x: error %v, want one of class %v", len(stub), stub, err, class)
	}
	var zero T
	if got != zero {
		t.Errorf("%d bytes: a value came with the error: %+v", len(stub), got)
	}
}
