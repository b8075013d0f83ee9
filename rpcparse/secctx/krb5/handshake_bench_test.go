package krb5

import "testing"

// A handshake is opened once per security context: what matters is that it
// does not hold up an event loop, and that a ticket that no key fits, of which
// anybody may send any number, does not either.
func BenchmarkOpenAPReq(b *testing.B) {
	k := newKDC(b, 18)
	token := k.request(b)
	var strangers []*Keytab
	for i := range 2 * maxCandidates {
		strangers = append(strangers, keysOf(b, entry("DC9$@LAB.TEST", 1, secret(18, byte(0x80+i)))))
	}
	for _, bc := range []struct {
		name string
		keys *Keytab
		want Result
	}{
		{"opened", k.keys(b), KeyFound},
		{"no key of many", Join(strangers...), NoKeyForPrincipal},
		{"no keytab", nil, NoKeyForPrincipal},
	} {
		b.Run(bc.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, o := OpenAPReq(token, bc.keys.Service("")); o.Result != bc.want {
					b.Fatal(o)
				}
			}
		})
	}
}

func BenchmarkOpenAPRep(b *testing.B) {
	k := newKDC(b, 18)
	in, o := OpenAPReq(k.request(b), k.keys(b).Service(""))
	if in == nil {
		b.Fatal(o)
	}
	token := k.answer(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := in.OpenAPRep(token); err != nil {
			b.Fatal(err)
		}
	}
}
