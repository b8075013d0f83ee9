package krb5

import (
	"bytes"
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// fuzzUnprotect checks one kind of token: whatever the PDU and its layout, a
// stream refuses it without a panic, or accepts it and then makes a PDU of the
// same size that its peer accepts.
func fuzzUnprotect(f *testing.F, seal bool, kinds ...int32) {
	for _, etype := range kinds {
		for _, v := range pduVectors {
			if v.etype == etype && v.seal == seal {
				f.Add(unhex(f, v.pdu), etype, 24, 56, true)
			}
		}
		for _, size := range []int{0, 1, 16, 33, 200} {
			s := newStream(f, etype, Acceptor, vectorNumber)
			pdu, trailer := newPDU(size, s.TokenSize(seal))
			if err := s.Protect(pdu, 24, trailer, seal); err != nil {
				f.Fatal(err)
			}
			f.Add(pdu, etype, 24, trailer, true)
			f.Add(pdu[:len(pdu)-17], etype, 24, trailer, false)
		}
		f.Add([]byte(nil), etype, 0, 0, true)
		f.Add(make([]byte, 200), etype, 24, 100, true)
	}
	f.Fuzz(func(t *testing.T, pdu []byte, etype int32, body, trailer int, headers bool) {
		etype = kinds[uint32(etype)%uint32(len(kinds))]
		s := newStream(t, etype, Acceptor, vectorNumber)
		s.SetHeaderSigning(headers)
		s.Allow(1)
		again := s.Clone()
		if err := s.Unprotect(pdu, body, trailer, seal); err != nil {
			if class := wire.ClassOf(err); class != wire.ClassAuth && class != wire.ClassInvalid {
				t.Fatalf("class %v", class)
			}
			return
		}
		plain := bytes.Clone(pdu[:trailer+trailerSize])
		if err := again.Protect(pdu, body, trailer, seal); err != nil {
			t.Fatal(err)
		}
		peer := newStream(t, etype, Acceptor, vectorNumber)
		peer.SetHeaderSigning(headers)
		if err := peer.Unprotect(pdu, body, trailer, seal); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(plain, pdu[:trailer+trailerSize]) {
			t.Fatal("altered")
		}
	})
}

func FuzzUnprotectSignedAES(f *testing.F) { fuzzUnprotect(f, false, 17, 18, 19, 20) }
func FuzzUnprotectSealedAES(f *testing.F) { fuzzUnprotect(f, true, 17, 18, 19, 20) }
func FuzzUnprotectSignedRC4(f *testing.F) { fuzzUnprotect(f, false, 23) }
func FuzzUnprotectSealedRC4(f *testing.F) { fuzzUnprotect(f, true, 23) }

// FuzzVerifyMIC: no mechListMIC makes a stream panic, and none that is made up
// is accepted.
func FuzzVerifyMIC(f *testing.F) {
	for _, etype := range etypes {
		s := newStream(f, etype, Acceptor, vectorNumber)
		token := make([]byte, s.TokenSize(false))
		if err := s.MIC([]byte("list"), token); err != nil {
			f.Fatal(err)
		}
		f.Add([]byte("list"), token)
		f.Add([]byte("list"), token[:len(token)-1])
	}
	f.Add([]byte(nil), []byte(nil))
	f.Fuzz(func(t *testing.T, message, token []byte) {
		for _, etype := range etypes {
			s := newStream(t, etype, Acceptor, vectorNumber)
			want := make([]byte, s.TokenSize(false))
			if err := s.Clone().MIC(message, want); err != nil {
				t.Fatal(err)
			}
			if err := s.VerifyMIC(message, token); (err == nil) != bytes.Equal(want, token) {
				t.Fatalf("etype %d: %v", etype, err)
			}
		}
	})
}
