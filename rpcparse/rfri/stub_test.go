package rfri

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

func drawText(t *rapid.T, limit int) string {
	return string(rapid.SliceOfN(rapid.ByteRange(1, 255), 0, limit-1).Draw(t, "text"))
}

func drawReferent(t *rapid.T, s Syntax) uint64 {
	if s == NDR64 {
		return rapid.Uint64Min(1).Draw(t, "referent")
	}
	return uint64(rapid.Uint32Min(1).Draw(t, "referent"))
}

// drawName draws a name behind as many pointers.
func drawName(t *rapid.T, s Syntax, pointers, limit int) (n Name) {
	if pointers == 2 {
		if !rapid.Bool().Draw(t, "outer") {
			return n
		}
		n.Outer = drawReferent(t, s)
	}
	if rapid.Bool().Draw(t, "inner") {
		n.Inner, n.Text = drawReferent(t, s), drawText(t, limit)
		n.Max = rapid.Uint64Range(uint64(len(n.Text)+1), uint64(limit)).Draw(t, "max")
	}
	return n
}

func TestEveryStubRoundTripsAndHasExactlyOneLength(t *testing.T) {
	for _, e := range encodings {
		t.Run(e.name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				code := rapid.Uint32().Draw(t, "code")
				newDSAAnswers.check(t, Answer{
					Opnum: OpnumGetNewDSA, Unused: drawName(t, e.syntax, 2, 40), Server: drawName(t, e.syntax, 2, MaxServer), Code: code,
				}, e.syntax, e.order)
				fqdnAnswers.check(t, Answer{
					Opnum: OpnumGetFQDNFromServerDN, Server: drawName(t, e.syntax, 1, MaxServer), Code: code,
				}, e.syntax, e.order)
				newDSARequests.check(t, NewDSARequest{
					Flags: code, UserDN: drawText(t, 40), Unused: drawName(t, e.syntax, 2, 40), Server: drawName(t, e.syntax, 2, 40),
				}, e.syntax, e.order)
				q := FQDNRequest{Flags: code, ServerDN: drawText(t, 40)}
				q.Size = rapid.Uint32Range(max(MinDN, uint32(len(q.ServerDN)+1)), MaxDN).Draw(t, "size")
				fqdnRequests.check(t, q, e.syntax, e.order)
			})
		})
	}
}

func TestRenamedAnswerDiffersInTheNameAlone(t *testing.T) {
	for _, e := range encodings {
		for _, opnum := range []uint16{OpnumGetNewDSA, OpnumGetFQDNFromServerDN} {
			a := Answer{Opnum: opnum, Server: Name{Inner: 0x12345678, Max: 100, Text: "gc1.lab.example"}, Code: 0xfedcba98}
			if opnum == OpnumGetNewDSA {
				a.Server.Outer = 7
				a.Unused = Name{Outer: 0x99, Inner: 0x9a, Max: 50, Text: "carried"}
			}
			c := codec[Answer]{parseOf(opnum), AppendAnswer}
			for _, name := range []string{"p", "gc-proxy.corp.example", "gc2.lab.example", strings.Repeat("x", MaxServer-1)} {
				got, err := c.parse(c.must(t, a, e.syntax, e.order), e.syntax, e.order)
				if err != nil {
					t.Fatal(err)
				}
				got.Server.Rename(name)
				again, err := c.parse(c.must(t, got, e.syntax, e.order), e.syntax, e.order)
				want := a
				want.Server.Text, want.Server.Max = name, uint64(len(name)+1)
				if err != nil || again != want {
					t.Errorf("%s: %+v, %v, want %+v", e.name, again, err, want)
				}
			}
		}
	}
}

func TestAnswerRefersOnlyWithSuccessAndAName(t *testing.T) {
	there := NewName("gc1.lab.example")
	for _, tc := range []struct {
		a    Answer
		want bool
	}{
		{Answer{Server: there}, true},
		{Answer{Server: there, Unused: there}, true},
		{Answer{Server: there, Code: 1}, false},
		{Answer{Server: NewName("")}, false},
		{Answer{Server: Name{Outer: 1}}, false},
		{Answer{}, false},
	} {
		if got := tc.a.Refers(); got != tc.want {
			t.Errorf("%+v: %t", tc.a, got)
		}
	}
}

func TestStringsOverTheirLimitsAreNotWritten(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	for _, e := range encodings {
		for name, f := range map[string]func() ([]byte, error){
			"server": func() ([]byte, error) {
				return AppendAnswer([]byte("front"), Answer{Server: NewName(long(MaxServer))}, e.syntax, e.order)
			},
			"unused": func() ([]byte, error) {
				return AppendAnswer([]byte("front"), Answer{Unused: NewName(long(MaxUnused))}, e.syntax, e.order)
			},
			"room": func() ([]byte, error) {
				return AppendAnswer([]byte("front"), Answer{Server: Name{Outer: 1, Inner: 1, Max: math.MaxUint64}}, e.syntax, e.order)
			},
			"user DN": func() ([]byte, error) {
				return AppendNewDSARequest([]byte("front"), NewDSARequest{UserDN: long(MaxDN)}, e.syntax, e.order)
			},
			"server DN": func() ([]byte, error) {
				return AppendFQDNRequest([]byte("front"), FQDNRequest{ServerDN: long(MaxDN)}, e.syntax, e.order)
			},
			"size of a DN": func() ([]byte, error) {
				return AppendFQDNRequest([]byte("front"), FQDNRequest{Size: MaxDN + 1}, e.syntax, e.order)
			},
		} {
			if got, err := f(); wire.ClassOf(err) != wire.ClassLimit || string(got) != "front" {
				t.Errorf("%s, %s: %q, %v", e.name, name, got, err)
			}
		}
	}
}

// A referent that would read as NULL in front of a string would shift every byte
// behind it, so an encoder must not write one.
func TestPresentNameNeverGetsANullReferent(t *testing.T) {
	a := Answer{Server: Name{Outer: 1 << 32, Inner: 2 << 32, Text: "x"}}
	for _, e := range encodings {
		got, err := newDSAAnswers.parse(newDSAAnswers.must(t, a, e.syntax, e.order), e.syntax, e.order)
		if err != nil || !got.Refers() {
			t.Errorf("%s: %+v, %v", e.name, got, err)
		}
	}
}

func TestShortServerDNGetsTheRoomThatTheSpecificationAsksFor(t *testing.T) {
	for _, e := range encodings {
		got, err := fqdnRequests.parse(fqdnRequests.must(t, FQDNRequest{ServerDN: "/o=x"}, e.syntax, e.order), e.syntax, e.order)
		if err != nil || got.Size != MinDN || got.ServerDN != "/o=x" {
			t.Errorf("%s: %+v, %v", e.name, got, err)
		}
	}
}

func TestPaddingIsNotLookedAt(t *testing.T) {
	a := Answer{Unused: NewName("12345"), Server: NewName("gc1.lab.example")}
	stub := newDSAAnswers.must(t, a, NDR, wire.LittleEndian)
	at := bytes.Index(stub, []byte("12345\x00")) + 6
	copy(stub[at:], "\xee\xee")
	if got, err := newDSAAnswers.parse(stub, NDR, wire.LittleEndian); err != nil || got.Server.Text != a.Server.Text || got.Unused.Text != "12345" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestParsersKeepNoReferenceToTheirInput(t *testing.T) {
	stub := newDSAAnswers.must(t, Answer{Server: NewName("gc1.lab.example")}, NDR, wire.LittleEndian)
	got, err := newDSAAnswers.parse(stub, NDR, wire.LittleEndian)
	clear(stub)
	if err != nil || got.Server.Text != "gc1.lab.example" {
		t.Errorf("%+v, %v", got, err)
	}
}

// Clients that sign put a verification trailer behind the first request.
func TestVerificationTrailerMayFollowARequest(t *testing.T) {
	trailer := unhex(t, "8ae3137102f43671 0040 0000")
	for _, e := range encodings {
		for _, dn := range []string{"", "/o=LAB", "/o=LAB/ou=first/cn=alice"} {
			checkTrailed(t, newDSARequests, NewDSARequest{UserDN: dn, Server: NewName("")}, trailer, e.syntax, e.order)
			checkTrailed(t, fqdnRequests, FQDNRequest{ServerDN: dn}, trailer, e.syntax, e.order)
		}
	}
}

func checkTrailed[T comparable](t *testing.T, c codec[T], v T, trailer []byte, s Syntax, o wire.Order) {
	t.Helper()
	stub := c.must(t, v, s, o)
	for len(stub)%4 != 0 {
		stub = append(stub, 0xee)
	}
	if _, err := c.parse(append(bytes.Clone(stub), trailer...), s, o); err != nil {
		t.Errorf("%+v: %v", v, err)
	}
	c.mustFail(t, append(bytes.Clone(stub), trailer[1:]...), s, o, wire.ClassInvalid)
}
