package tower

import (
	"encoding/hex"
	"errors"
	"net/netip"
	"strings"

	"pgregory.net/rapid"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// unhex decodes hex with white space anywhere.
func unhex(t rapid.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatalf("bad hex in a test: %v", err)
	}
	return b
}

var (
	nspiInterface = wire.SyntaxID{UUID: wire.MustUUID("f5cc5a18-4264-101a-8c59-08002b2f8426"), Version: 56}
	drsInterface  = wire.SyntaxID{UUID: wire.MustUUID("e3514235-4b06-11d1-ab04-00c04fc2dcd2"), Version: 4}
	ndrSyntax     = wire.SyntaxID{UUID: wire.MustUUID("8a885d04-1ceb-11c9-9fe8-08002b104860"), Version: 2}

	host = netip.MustParseAddr("10.10.20.10")
)

// nspiTower is the tower of a DC whose NSPI listens on port.
func nspiTower(port uint16) []byte { return BuildTCP(nspiInterface, ndrSyntax, port, host) }

// pipeTower is a tower with a named pipe, of a length that depends on the name.
func pipeTower(name string) []byte {
	octets := nspiTower(0)[:59] // up to the floor of the RPC protocol
	octets = appendFloor(octets, ProtocolNamedPipe, append([]byte(name), 0))
	return appendFloor(octets, ProtocolNetBIOS, []byte{0})
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

// appender is one of the Append functions.
type appender[V any] func([]byte, V, Syntax, wire.Order) ([]byte, error)

// must encodes v, behind other bytes that must stay, and returns the stub.
func (f appender[V]) must(t rapid.TB, v V, s Syntax, o wire.Order) []byte {
	t.Helper()
	const front = "odd"
	b, err := f([]byte(front), v, s, o)
	if err != nil {
		t.Fatalf("encoding %+v: %v", v, err)
	}
	if string(b[:len(front)]) != front {
		t.Fatalf("encoding changed what was there: %q", b[:len(front)])
	}
	return b[len(front):]
}

// parser is one of the functions that read a whole stub.
type parser[V any] func([]byte, Syntax, wire.Order) (V, error)

// mustFail expects an error of this class and name.
func (f parser[V]) mustFail(t rapid.TB, stub []byte, s Syntax, o wire.Order, class wire.Class, name string) {
	t.Helper()
	if _, err := f(stub, s, o); !errors.Is(err, &wire.Error{Class: class, Name: name}) {
		t.Errorf("%d bytes: error %v, want %v %s", len(stub), err, class, name)
	}
}

// portOffset returns where in the stub the port of an endpoint is; -1 if its
// tower cannot be parsed any more.
func portOffset(stub []byte, e Endpoint) int {
	t, err := e.Tower.Parse(stub)
	if err != nil {
		return -1
	}
	return e.Tower.Offset + t.PortOffset()
}

// mustBeExact expects every truncation of stub to be short, and one byte more to
// be invalid.
func (f parser[V]) mustBeExact(t rapid.TB, stub []byte, s Syntax, o wire.Order) {
	t.Helper()
	for n := range stub {
		f.mustFail(t, stub[:n:n], s, o, wire.ClassShort, "")
	}
	f.mustFail(t, append(stub[:len(stub):len(stub)], 0), s, o, wire.ClassInvalid, "stub_length")
}

// mustBeShort expects a truncation of stub, drawn anew each time, to be short.
func (f parser[V]) mustBeShort(t *rapid.T, stub []byte, s Syntax, o wire.Order) {
	t.Helper()
	n := rapid.IntRange(0, len(stub)-1).Draw(t, "cut")
	f.mustFail(t, stub[:n:n], s, o, wire.ClassShort, "")
}
