package rpcparse

import "testing"

// sink keeps the compiler from throwing results away.
var sink int

// TestPathOfAPDUDoesNotAllocate pins what the relay relies on: framing,
// parsing and walking lists allocate nothing.
func TestPathOfAPDUDoesNotAllocate(t *testing.T) {
	for name, run := range map[string]func(*testing.T) func(){
		"framer": func(t *testing.T) func() {
			f, b := new(Framer), golden(t, "NspiBind request")
			return func() {
				for _, n := range []int{5, 16, 40, len(b)} {
					pdu, _, err := f.Next(b[:n])
					if err != nil {
						t.Fatal(err)
					}
					sink += len(pdu) + f.Need(b[:n])
				}
			}
		},
		"request":  parseOf(requestCodec, "request with an object UUID"),
		"response": parseOf(responseCodec, "sealed response"),
		"fault":    parseOf(faultCodec, "fault access denied"),
		"bind": func(t *testing.T) func() {
			b := golden(t, "bind of three contexts")
			return func() { sink += walkBind(t, b) }
		},
		"bind_ack": func(t *testing.T) func() {
			b := golden(t, "bind_ack of three results")
			return func() { sink += walkBindAck(t, b) }
		},
		"bind_nak": parseOf(bindNakCodec, "bind_nak"),
		"auth3":    parseOf(auth3Codec, "auth3"),
		"orphaned": parseOf(orphanedCodec, "orphaned"),
		"trailer": func(t *testing.T) func() {
			b := appendTrailer(t, make([]byte, 60), fullTrailer)
			return func() {
				_, n, _ := ParseVerificationTrailer(b)
				sink += n
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			if n := testing.AllocsPerRun(100, run(t)); n != 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}

// TestAppendingIntoRoomDoesNotAllocate pins what answering a bind costs.
func TestAppendingIntoRoomDoesNotAllocate(t *testing.T) {
	buf := make([]byte, 0, 1024)
	resp := Response{Header: Header{Flags: FlagsWhole, Drep: DrepLittleEndian}, Stub: make([]byte, 28),
		HasVerifier: true, Verifier: Verifier{PadLength: 4, Token: make([]byte, 16)}}
	bind := Bind{Header: Header{Type: PTypeBind}, Contexts: sampleContexts}
	n := testing.AllocsPerRun(100, func() {
		a, err := AppendResponse(buf, resp)
		if err != nil {
			t.Fatal(err)
		}
		b, err := AppendBind(buf, bind) // big-endian, so that the list is converted
		if err != nil {
			t.Fatal(err)
		}
		sink += len(a) + len(b)
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func parseOf[T view](c codec[T], name string) func(*testing.T) func() {
	return func(t *testing.T) func() {
		b := golden(t, name)
		return func() {
			x, err := c.parse(b)
			if err != nil {
				t.Fatal(err)
			}
			sink += x.Len()
		}
	}
}

func walkBind(t testing.TB, pdu []byte) (n int) {
	x, err := ParseBind(pdu)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range x.Contexts.All() {
		n += i + int(e.Abstract.Version)
		for _, s := range e.Transfers.All() {
			n += int(s.Version)
		}
	}
	return n
}

func walkBindAck(t testing.TB, pdu []byte) (n int) {
	x, err := ParseBindAck(pdu)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range x.Results.All() {
		n += i + int(r.Result)
	}
	return n
}
