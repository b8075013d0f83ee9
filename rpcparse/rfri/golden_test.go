package rfri

import (
	"bytes"
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// No public capture holds RFRI. These bytes were written by hand after
// MS-OXABREF 3.1.4 and C706 chapter 14; oracle_test.go and the lab compare with
// what other implementations make and read.
const (
	// "gc1.lab.test" with its NUL has 13 bytes: three of padding follow.
	text = `6763312e6c61622e7465737400`

	newDSAAnswer   = `00000000 | 00000200 04000200 | 0d000000 00000000 0d000000 ` + text + ` 000000 | 00000000`
	newDSAAnswerBE = `00000000 | 00020000 00020004 | 0000000d 00000000 0000000d ` + text + ` 000000 | 00000000`
	newDSAAnswer64 = `0000000000000000 | 0000020000000000 0400020000000000 |
		0d00000000000000 0000000000000000 0d00000000000000 ` + text + ` 000000 | 00000000`
	fqdnAnswer   = `04000200 | 0d000000 00000000 0d000000 ` + text + ` 000000 | 00000000`
	fqdnAnswerBE = `00020004 | 0000000d 00000000 0000000d ` + text + ` 000000 | 00000000`
	fqdnAnswer64 = `0400020000000000 | 0d00000000000000 0000000000000000 0d00000000000000 ` + text + ` 000000 | 00000000`

	// MAPI_E_NOT_FOUND without a server, and with both pointers of the unused one.
	newDSAFailure = `00000000 | 00000000 | 0f010480`
	newDSAUnused  = `01000000 02000000 | 02000000 00000000 02000000 7800 0000 | 00000000 | 05400080`
	fqdnFailure   = `00000000 | 0f010480`

	// "/o=LAB" has 7 bytes: one of padding follows in NDR, and none of the eight of NDR64.
	newDSARequest   = `00000000 | 07000000 00000000 07000000 2f6f3d4c414200 00 | 00000000 | 00000200 04000200 01000000 00000000 01000000 00`
	newDSARequest64 = `00000000 00000000 | 0700000000000000 0000000000000000 0700000000000000 2f6f3d4c414200 00 |
		0000000000000000 | 0000020000000000 0400020000000000 0100000000000000 0000000000000000 0100000000000000 00`
	fqdnRequest   = `00000000 | 0a000000 | 0a000000 00000000 07000000 2f6f3d4c414200`
	fqdnRequest64 = `00000000 | 0a000000 | 0a00000000000000 0000000000000000 0700000000000000 2f6f3d4c414200`
)

// golden expects v from the bytes and the bytes from v.
func golden[T comparable](t *testing.T, c codec[T], stub string, s Syntax, o wire.Order, want T) {
	t.Helper()
	b := unhex(t, stub)
	got, err := c.parse(b, s, o)
	if err != nil || got != want {
		t.Errorf("%x: %+v, %v, want %+v", b, got, err, want)
	}
	if again := c.must(t, want, s, o); !bytes.Equal(again, b) {
		t.Errorf("appended %x, want %x", again, b)
	}
}

func TestAnswersHaveTheBytesOfTheSpecification(t *testing.T) {
	server := Name{Outer: 0x20000, Inner: 0x20004, Max: 13, Text: "gc1.lab.test"}
	dsa := Answer{Opnum: OpnumGetNewDSA, Server: server}
	golden(t, newDSAAnswers, newDSAAnswer, NDR, wire.LittleEndian, dsa)
	golden(t, newDSAAnswers, newDSAAnswerBE, NDR, wire.BigEndian, dsa)
	golden(t, newDSAAnswers, newDSAAnswer64, NDR64, wire.LittleEndian, dsa)

	server.Outer = 0
	fqdn := Answer{Opnum: OpnumGetFQDNFromServerDN, Server: server}
	golden(t, fqdnAnswers, fqdnAnswer, NDR, wire.LittleEndian, fqdn)
	golden(t, fqdnAnswers, fqdnAnswerBE, NDR, wire.BigEndian, fqdn)
	golden(t, fqdnAnswers, fqdnAnswer64, NDR64, wire.LittleEndian, fqdn)

	golden(t, newDSAAnswers, newDSAFailure, NDR, wire.LittleEndian, Answer{Code: 0x8004010f})
	golden(t, newDSAAnswers, newDSAUnused, NDR, wire.LittleEndian, Answer{Unused: Name{Outer: 1, Inner: 2, Max: 2, Text: "x"}, Code: 0x80004005})
	golden(t, fqdnAnswers, fqdnFailure, NDR, wire.LittleEndian, Answer{Opnum: OpnumGetFQDNFromServerDN, Code: 0x8004010f})
}

func TestRequestsHaveTheBytesOfTheSpecification(t *testing.T) {
	dsa := NewDSARequest{UserDN: "/o=LAB", Server: Name{Outer: 0x20000, Inner: 0x20004, Max: 1}}
	golden(t, newDSARequests, newDSARequest, NDR, wire.LittleEndian, dsa)
	golden(t, newDSARequests, newDSARequest64, NDR64, wire.LittleEndian, dsa)
	fqdn := FQDNRequest{Size: 10, ServerDN: "/o=LAB"}
	golden(t, fqdnRequests, fqdnRequest, NDR, wire.LittleEndian, fqdn)
	golden(t, fqdnRequests, fqdnRequest64, NDR64, wire.LittleEndian, fqdn)
}
