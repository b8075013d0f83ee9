package rfri

import (
	"bytes"
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// Stubs made to be misread: counts that contradict each other or the bytes that
// are there, strings that do not end where they say, pointers to nothing.
func TestContradictoryAnswersAreRefused(t *testing.T) {
	const ok = "00000000 00000200 04000200 | 04000000 00000000 04000000 | 67633100 | 00000000"
	if a, err := newDSAAnswers.parse(unhex(t, ok), NDR, wire.LittleEndian); err != nil || a.Server.Text != "gc1" {
		t.Fatalf("the stub that the others are made of: %+v, %v", a, err)
	}
	for name, tc := range map[string]struct {
		stub  string
		class wire.Class
	}{
		"offset":                        {"00000000 00000200 04000200 | 04000000 01000000 04000000 | 67633100 | 00000000", wire.ClassInvalid},
		"more than there is room for":   {"00000000 00000200 04000200 | 03000000 00000000 04000000 | 67633100 | 00000000", wire.ClassInvalid},
		"no NUL":                        {"00000000 00000200 04000200 | 04000000 00000000 04000000 | 67633131 | 00000000", wire.ClassInvalid},
		"NUL in the middle":             {"00000000 00000200 04000200 | 04000000 00000000 04000000 | 67003100 | 00000000", wire.ClassInvalid},
		"no bytes, not even NUL":        {"00000000 00000200 04000200 | 04000000 00000000 00000000 | 00000000", wire.ClassInvalid},
		"room over the limit":           {"00000000 00000200 04000200 | 01010000 00000000 04000000 | 67633100 | 00000000", wire.ClassLimit},
		"length over the limit":         {"00000000 00000200 04000200 | ffffffff 00000000 ffffffff | 67633100 | 00000000", wire.ClassLimit},
		"length that is negative":       {"00000000 00000200 04000200 | 04000000 00000000 00000080 | 67633100 | 00000000", wire.ClassLimit},
		"longer than the stub":          {"00000000 00000200 04000200 | 10000000 00000000 10000000 | 67633100 | 00000000", wire.ClassShort},
		"referent without a string":     {"00000000 00000200 04000200 | 00000000", wire.ClassShort},
		"outer referent alone":          {"00000000 00000200 | 00000000", wire.ClassShort},
		"unused that eats the server":   {"00000200 04000200 | 04000000 00000000 04000000 | 67633100 | 00000000", wire.ClassShort},
		"two return values":             {ok + "00000000", wire.ClassInvalid},
		"the answer to the other":       {"00000200 | 04000000 00000000 04000000 | 67633100 | 00000000", wire.ClassInvalid},
		"a verification trailer behind": {ok + "8ae3137102f43671 0040 0000", wire.ClassInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			newDSAAnswers.mustFail(t, unhex(t, tc.stub), NDR, wire.LittleEndian, tc.class)
		})
	}
}

func TestContradictoryRequestsAreRefused(t *testing.T) {
	const ok = "00000000 | 0a000000 | 0a000000 00000000 05000000 | 2f6f3d7800"
	if q, err := fqdnRequests.parse(unhex(t, ok), NDR, wire.LittleEndian); err != nil || q.ServerDN != "/o=x" {
		t.Fatalf("the stub that the others are made of: %+v, %v", q, err)
	}
	for name, tc := range map[string]struct {
		stub  string
		class wire.Class
	}{
		"size below the range":         {"00000000 | 09000000 | 09000000 00000000 05000000 | 2f6f3d7800", wire.ClassLimit},
		"size above the range":         {"00000000 | 01040000 | 01040000 00000000 05000000 | 2f6f3d7800", wire.ClassLimit},
		"room other than the size":     {"00000000 | 0a000000 | 0b000000 00000000 05000000 | 2f6f3d7800", wire.ClassInvalid},
		"size of no string":            {"00000000 | 0a000000", wire.ClassShort},
		"bytes behind the last string": {ok + "00", wire.ClassInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			fqdnRequests.mustFail(t, unhex(t, tc.stub), NDR, wire.LittleEndian, tc.class)
		})
	}
}

func TestHostileBytesNeitherPanicNorAreBelieved(t *testing.T) {
	for _, fill := range []byte{0xff, 0x7f, 0x01} {
		huge := bytes.Repeat([]byte{fill}, 1<<20)
		for _, e := range encodings {
			for _, n := range []int{0, 1, 3, 4, 12, 24, 25, 1000, len(huge)} {
				for _, parse := range []func([]byte) error{
					func(b []byte) error { _, err := newDSAAnswers.parse(b, e.syntax, e.order); return err },
					func(b []byte) error { _, err := fqdnAnswers.parse(b, e.syntax, e.order); return err },
					func(b []byte) error { _, err := newDSARequests.parse(b, e.syntax, e.order); return err },
					func(b []byte) error { _, err := fqdnRequests.parse(b, e.syntax, e.order); return err },
				} {
					if err := parse(huge[:n:n]); err == nil {
						t.Errorf("%s: %d bytes of %#x are accepted", e.name, n, fill)
					}
				}
			}
		}
	}
}

func TestOperationsThatDoNotExistHaveNoAnswer(t *testing.T) {
	stub := newDSAAnswers.must(t, Answer{Server: NewName("x")}, NDR, wire.LittleEndian)
	if _, err := ParseAnswer(2, stub, NDR, wire.LittleEndian); wire.ClassOf(err) != wire.ClassInvalid {
		t.Errorf("%v", err)
	}
	for opnum, want := range map[uint16]string{0: "RfrGetNewDSA", 1: "RfrGetFQDNFromServerDN", 2: "opnum 2", 65535: "opnum 65535"} {
		if got := OpnumName(opnum); got != want {
			t.Errorf("%d is called %q", opnum, got)
		}
	}
}

func TestSyntaxesThatDoNotExistAreRefused(t *testing.T) {
	stub := newDSAAnswers.must(t, Answer{Server: NewName("x")}, NDR64, wire.BigEndian)
	if got, err := newDSAAnswers.parse(stub, NDR64, wire.LittleEndian); err != nil || !got.Refers() {
		t.Errorf("ndr64 was not written little-endian: %+v, %v", got, err)
	}
	newDSAAnswers.mustFail(t, stub, NDR64, wire.BigEndian, wire.ClassInvalid)
	newDSAAnswers.mustFail(t, stub, NDR64+1, wire.LittleEndian, wire.ClassInvalid)
	if _, err := AppendAnswer(nil, Answer{}, NDR64+1, wire.LittleEndian); wire.ClassOf(err) != wire.ClassInvalid {
		t.Errorf("%v", err)
	}
}

// An answer read in the other syntax must fail: a name that is not there must not
// be found in it.
func TestAnswerReadInTheWrongSyntaxNamesNobody(t *testing.T) {
	for _, text := range []string{"x", "gc1", "gc1.lab.example"} {
		for _, opnum := range []uint16{OpnumGetNewDSA, OpnumGetFQDNFromServerDN} {
			for _, s := range []Syntax{NDR, NDR64} {
				c := codec[Answer]{parseOf(opnum), AppendAnswer}
				stub := c.must(t, Answer{Opnum: opnum, Server: NewName(text)}, s, wire.LittleEndian)
				if got, err := c.parse(stub, NDR64-s, wire.LittleEndian); err == nil {
					t.Errorf("%v of opnum %d read as the other: %+v", s, opnum, got)
				}
			}
		}
	}
}
