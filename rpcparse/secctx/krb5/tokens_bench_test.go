package krb5

import (
	"strconv"
	"testing"
)

// newPDU returns one of the given body size with room for a token.
func newPDU(body, token int) (pdu []byte, trailer int) {
	pdu = make([]byte, 24+body+trailerSize+token)
	for i := range pdu {
		pdu[i] = byte(i)
	}
	return pdu, 24 + body
}

var etypes = []int32{17, 18, 19, 20, 23}

func BenchmarkProtectAndUnprotect(b *testing.B) {
	for _, etype := range etypes {
		for _, seal := range []bool{false, true} {
			for _, size := range []int{64, 1024, 4096} {
				b.Run(benchName(etype, seal)+"/"+strconv.Itoa(size), func(b *testing.B) {
					send, receive := newStream(b, etype, Initiator, 1), newStream(b, etype, Initiator, 1)
					pdu, trailer := newPDU(size, send.TokenSize(seal))
					b.ReportAllocs()
					b.SetBytes(int64(size))
					for b.Loop() {
						if send.Protect(pdu, 24, trailer, seal) != nil || receive.Unprotect(pdu, 24, trailer, seal) != nil {
							b.Fatal("protection failed")
						}
					}
				})
			}
		}
	}
}

func benchName(etype int32, seal bool) string {
	name := map[int32]string{17: "aes128", 18: "aes256", 19: "aes128-sha2", 20: "aes256-sha2", 23: "rc4"}[etype]
	if seal {
		return name + "-seal"
	}
	return name + "-sign"
}

// BenchmarkFirstPDU includes the derivation of keys.
func BenchmarkFirstPDU(b *testing.B) {
	for _, etype := range etypes {
		b.Run(benchName(etype, true), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s := newStream(b, etype, Initiator, 1)
				pdu, trailer := newPDU(64, s.TokenSize(true))
				_ = s.Protect(pdu, 24, trailer, true)
			}
		})
	}
}

func TestProtectionDoesNotAllocate(t *testing.T) {
	for _, etype := range etypes {
		for _, seal := range []bool{false, true} {
			want := 0.0
			if etype == etypeRC4 {
				want = 2 // the key stream of SND_SEQ, twice
				if seal {
					want = 4 // and that of the body
				}
			}
			send, receive := newStream(t, etype, Initiator, 1), newStream(t, etype, Initiator, 1)
			pdu, trailer := newPDU(100, send.TokenSize(seal))
			if n := testing.AllocsPerRun(100, func() {
				if send.Protect(pdu, 24, trailer, seal) != nil || receive.Unprotect(pdu, 24, trailer, seal) != nil {
					t.Fatal("protection failed")
				}
			}); n > want {
				t.Errorf("%s: %v allocations, want %v", benchName(etype, seal), n, want)
			}
		}
	}
}
