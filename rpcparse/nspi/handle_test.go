package nspi

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// The server sends a handle little-endian; a big-endian client sends it back in
// its own order. Both must be one key of one table.
func TestHandleIsTheSameInBothByteOrders(t *testing.T) {
	little := unhex(t, "04030201 65276cbd f4d7 c848 985b432216839b6c")
	big := unhex(t, "01020304 bd6c2765 d7f4 48c8 985b432216839b6c")
	fromServer := ReadHandle(little, wire.LittleEndian)
	fromClient := ReadHandle(big, wire.BigEndian)
	if fromServer != fromClient {
		t.Errorf("little-endian %x, big-endian %x", fromServer[:], fromClient[:])
	}
	if got := fromServer.Append(nil, wire.BigEndian); !bytes.Equal(got, big) {
		t.Errorf("appended big-endian %x, want %x", got, big)
	}
	if got := fromServer.Append(nil, wire.LittleEndian); !bytes.Equal(got, little) {
		t.Errorf("appended little-endian %x, want %x", got, little)
	}
}

func TestHandleStringTellsHandlesApartWithoutShowingThem(t *testing.T) {
	if got := (Handle{}).String(); got != "null" {
		t.Errorf("the NULL handle prints %q", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawHandle(t), drawHandle(t)
		if a.IsZero() {
			return
		}
		s := a.String()
		if len(s) != 12 || s != a.String() {
			t.Fatalf("%q is not twelve stable digits", s)
		}
		if a != b && s == b.String() {
			t.Fatalf("%x and %x both print %q", a[:], b[:], s)
		}
	})
	h := Handle(unhex(t, "0000000065276cbdf4d7c848985b432216839b6c"))
	for i := 0; i+2 <= len(h.String()); i += 2 {
		if i+8 <= 12 && strings.Contains("0000000065276cbdf4d7c848985b432216839b6c", h.String()[i:i+8]) {
			t.Errorf("%q shows part of the handle", h)
		}
	}
}
