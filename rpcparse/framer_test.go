package rpcparse

import (
	"bytes"
	"errors"
	"testing"

	"pgregory.net/rapid"
)

// goldenStream returns the golden PDUs of one direction, and the same back to
// back.
func goldenStream(t testing.TB, dir Direction) (stream []byte, pdus [][]byte) {
	for _, g := range goldens {
		pdu := unhex(t, g.hex)
		if g.dir == dir && PType(pdu[2]) != PTypeRTS {
			pdus = append(pdus, pdu)
			stream = append(stream, pdu...)
		}
	}
	return stream, pdus
}

// frame feeds stream to f in pieces that end at the given lengths, as a reader
// with a buffer would, and returns what came out.
func frame(t testing.TB, f *Framer, stream []byte, pieces func() int) (pdus [][]byte, err error) {
	t.Helper()
	start, end := 0, 0
	for end < len(stream) {
		end += min(max(1, pieces()), len(stream)-end)
		for start < end {
			need := f.Need(stream[start:end])
			pdu, h, err := f.Next(stream[start:end])
			if err != nil {
				return pdus, err
			}
			if (pdu == nil) != (need > 0) {
				t.Fatalf("Need says %d before a PDU of %d bytes", need, len(pdu))
			}
			if pdu == nil {
				break
			}
			if len(pdu) != int(h.FragLength) || &pdu[0] != &stream[start] || cap(pdu) != len(pdu) {
				t.Fatalf("PDU of %d bytes, capacity %d, frag_length %d", len(pdu), cap(pdu), h.FragLength)
			}
			pdus = append(pdus, pdu)
			start += len(pdu)
		}
	}
	return pdus, nil
}

func samePDUs(t testing.TB, got, want [][]byte) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d PDUs, expected %d", len(got), len(want))
	}
	for i := range got {
		if !bytes.Equal(got[i], want[i]) {
			t.Fatalf("PDU %d is %x, expected %x", i, got[i], want[i])
		}
	}
}

func TestFramerFindsEveryPDUHoweverTheStreamIsSplit(t *testing.T) {
	for _, dir := range []Direction{ClientToServer, ServerToClient} {
		stream, want := goldenStream(t, dir)
		for size := 1; size <= len(stream); size++ {
			got, err := frame(t, &Framer{Dir: dir}, stream, func() int { return size })
			if err != nil {
				t.Fatalf("pieces of %d: %v", size, err)
			}
			samePDUs(t, got, want)
		}
	}
}

func TestFramerFindsEveryPDUInRandomPieces(t *testing.T) {
	stream, want := goldenStream(t, ClientToServer)
	rapid.Check(t, func(rt *rapid.T) {
		pieces := rapid.IntRange(1, 200)
		got, err := frame(t, new(Framer), stream, func() int { return pieces.Draw(rt, "piece") })
		if err != nil {
			rt.Fatal(err)
		}
		samePDUs(t, got, want)
	})
}

func TestFramerTakesEachTypeFromOneSideOnly(t *testing.T) {
	for p := range PType(40) {
		b := AppendHeader(nil, Header{Type: p, Drep: DrepLittleEndian, FragLength: 48})
		for _, dir := range []Direction{ClientToServer, ServerToClient} {
			for _, n := range []int{3, HeaderSize} {
				_, _, err := (&Framer{Dir: dir}).Next(b[:n])
				want := p.Known() && p.SentBy(dir) && p != PTypeRTS
				if (err == nil) != want || err != nil && !errors.Is(err, &Error{Class: ClassInvalid, Name: "ptype"}) {
					t.Errorf("%v from %v, %d bytes: %v", p, dir, n, err)
				}
			}
			_, _, err := (&Framer{Dir: dir, AllowRTS: true}).Next(b)
			if p == PTypeRTS && err != nil {
				t.Errorf("rts from %v: %v", dir, err)
			}
		}
	}
}

// TestFramerSaysTheSameOfAnErrorHoweverItArrives: headers that are wrong in two places.
func TestFramerSaysTheSameOfAnErrorHoweverItArrives(t *testing.T) {
	for name, header := range map[string]string{
		"direction and auth_length":    "0500 00 03 10000000 1800 dfff 01000000",
		"direction and frag_length":    "0500 00 03 10000000 0f00 0000 01000000",
		"direction and representation": "0500 00 03 50000000 1800 0000 01000000",
		"version and direction":        "0502 00 03 10000000 1800 0000 01000000",
		"representation and length":    "0500 02 03 50000000 0000 0000 01000000",
	} {
		t.Run(name, func(t *testing.T) {
			b := unhex(t, header)
			_, whole := frame(t, &Framer{Dir: ServerToClient}, b, func() int { return len(b) })
			_, split := frame(t, &Framer{Dir: ServerToClient}, b, func() int { return 1 })
			if whole == nil || split == nil || whole.Error() != split.Error() {
				t.Errorf("in one piece %v, byte by byte %v", whole, split)
			}
		})
	}
}

func TestFramerErrorIsFinal(t *testing.T) {
	good := golden(t, "NspiBind request")
	for name, bad := range map[string][]byte{
		"first byte": {4}, "type": {5, 0, 2}, "header": append([]byte{5, 0, 0, 3, 0xff}, good[5:]...),
	} {
		f := new(Framer)
		_, _, err := f.Next(bad)
		if err == nil {
			t.Fatalf("%s: no error", name)
		}
		pdu, _, again := f.Next(good)
		if pdu != nil || !errors.Is(again, err) || f.Need(good) != 0 {
			t.Errorf("%s: %x, %v after %v", name, pdu, again, err)
		}
	}
}

func TestNeedIsZeroWhereMoreBytesCannotHelp(t *testing.T) {
	good := golden(t, "NspiBind request")
	long := AppendHeader(nil, Header{Drep: DrepLittleEndian, FragLength: 6000})
	for _, tc := range []struct {
		b    []byte
		need int
	}{
		{nil, 16}, {good[:1], 15}, {good[:15], 1}, {good[:16], 68}, {good[:83], 1}, {good, 0},
		{append(good[:84:84], 5), 0}, {[]byte{4}, 0}, {[]byte{5, 0, 12}, 0}, {long, 0}, {[]byte("GET / HTTP/1.1\r\n\r\n"), 0},
	} {
		if got := new(Framer).Need(tc.b); got != tc.need {
			t.Errorf("Need(%x) = %d, expected %d", tc.b, got, tc.need)
		}
	}
}

func TestFragmentLimit(t *testing.T) {
	for _, tc := range []struct {
		name       string
		limits     Limits
		negotiated int
		want       int
	}{
		{"nothing negotiated", Limits{}, 0, 5840},
		{"less negotiated", Limits{}, 2048, 5840},
		{"more negotiated", Limits{}, 8192, 8192},
		{"more than a PDU negotiated", Limits{}, 1 << 20, MaxPDU},
		{"nonsense negotiated", Limits{}, -1, 5840},
		{"more than the cap negotiated", Limits{MaxFragment: 6000}, 8192, 6000},
		{"cap below what every peer sends", Limits{MaxFragment: 100}, 8192, 5840},
		{"cap beyond a PDU", Limits{MaxFragment: 1 << 20}, 1 << 20, MaxPDU},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, dir := range []Direction{ClientToServer, ServerToClient} {
				types := []PType{PTypeRequest, PTypeCoCancel}
				if dir == ServerToClient {
					types = []PType{PTypeResponse, PTypeFault, PTypeBindNak}
				}
				for _, p := range types {
					checkLimit(t, Framer{Dir: dir, Limits: tc.limits}, tc.negotiated, p, tc.want)
				}
			}
		})
	}
}

func TestHandshakeLimits(t *testing.T) {
	for _, tc := range []struct {
		p       PType
		dir     Direction
		maxBind int
		want    int
	}{
		{PTypeBind, ClientToServer, 0, MaxPDU},
		{PTypeAlterContext, ClientToServer, 1 << 20, MaxPDU},
		{PTypeAlterContext, ClientToServer, 20000, 20000},
		{PTypeBindAck, ServerToClient, 20000, 20000},
		{PTypeAlterContextResp, ServerToClient, 0, MaxPDU},
		{PTypeAuth3, ClientToServer, 0, 5840},
	} {
		checkLimit(t, Framer{Dir: tc.dir, Limits: Limits{MaxBind: tc.maxBind}}, 0, tc.p, tc.want)
	}
}

// checkLimit requires that f takes a PDU of want bytes and none larger.
func checkLimit(t *testing.T, f Framer, negotiated int, p PType, want int) {
	t.Helper()
	for _, n := range []int{want, want + 1} {
		if n > MaxPDU {
			continue
		}
		g := f
		g.SetMaxFragment(negotiated)
		pdu := make([]byte, n)
		AppendHeader(pdu[:0], Header{Type: p, Drep: DrepLittleEndian, FragLength: uint16(n)})
		got, _, err := g.Next(pdu)
		if n <= want && (err != nil || len(got) != n) {
			t.Errorf("%v of %d bytes: %d, %v", p, n, len(got), err)
		}
		if n > want && !errors.Is(err, &Error{Class: ClassLimit, Name: "frag_length"}) {
			t.Errorf("%v of %d bytes: %v", p, n, err)
		}
	}
}

func TestAuth3TokenLimit(t *testing.T) {
	for n, want := range map[int]Class{MaxAuth3Token: 0, MaxAuth3Token + 1: ClassLimit} {
		pdu, err := AppendAuth3(nil, Auth3{Header: Header{Drep: DrepLittleEndian}, HasVerifier: true, Verifier: Verifier{Token: make([]byte, n)}})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := new(Framer).Next(pdu); ClassOf(err) != want {
			t.Errorf("token of %d: %v", n, err)
		}
	}
}
