package secctx_test

import (
	"encoding/binary"
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/spnego"
)

// tokens joins tokens to one input of FuzzHandshake: for each its direction and
// two bytes of length.
func tokens(all ...[]byte) (out []byte) {
	for n, token := range all {
		out = append(out, byte(n%2))
		out = binary.BigEndian.AppendUint16(out, uint16(len(token)))
		out = append(out, token...)
	}
	return out
}

// FuzzHandshake tells a handshake tokens in any number and order. Whatever they
// are, it has a context when and only when it says that it found the key.
func FuzzHandshake(f *testing.F) {
	i, s := ntlmEnds()
	m := exchange(f, i, s)
	k := newKDC(18)
	offer := []spnego.OID{spnego.OIDMSKerberos, spnego.OIDNTLM}
	f.Add(tokens(m.negotiate, m.challenge, m.authenticate))
	f.Add(tokens(k.request(f), k.answer(f), k.third(f)))
	f.Add(tokens(k.request(f), krbError, k.request(f), k.answer(f), k.third(f), k.answer(f)))
	f.Add(tokens(spnego.AppendInit(nil, spnego.Token{MechTypes: offer, MechToken: m.negotiate}),
		spnego.AppendResp(nil, spnego.Token{MechToken: m.challenge}),
		spnego.AppendResp(nil, spnego.Token{MechToken: m.authenticate, ListMIC: make([]byte, 16)})))
	f.Add(tokens(m.negotiate, k.answer(f), k.request(f), m.challenge, m.authenticate, krbError, m.authenticate))
	known := &keys{password: password, service: k.keytab(f, k.service, k.kvno).Service("")}
	f.Fuzz(func(t *testing.T, in []byte) {
		h := secctx.NewHandshake(known)
		for len(in) >= 3 {
			size := min(int(binary.BigEndian.Uint16(in[1:])), len(in)-3)
			if token := in[3 : 3+size]; in[0]%2 == 0 {
				h.FromClient(token)
			} else {
				h.FromServer(token)
			}
			in = in[3+size:]
			if found := h.Outcome().Result == secctx.KeyFound; found != (h.Context() != nil) {
				t.Fatalf("%v, context: %t", h.Outcome(), !found)
			}
		}
		h.Refused()
		if h.Outcome().Result == secctx.Pending {
			t.Fatal("a refused handshake goes on")
		}
	})
}
