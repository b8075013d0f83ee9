package inspect

import (
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// A request on a session and its answer, which are forwarded.
func BenchmarkForwardedRequestAndResponse(b *testing.B) {
	for _, tc := range []struct {
		name string
		sec  func(testing.TB) *secured
	}{
		{"cleartext", func(testing.TB) *secured { return nil }},
		{"connect", func(t testing.TB) *secured { return alice(t, rpcparse.LevelConnect) }},
		{"sealed, no keys", func(t testing.TB) *secured { return alice(t, rpcparse.LevelPrivacy) }},
	} {
		b.Run(tc.name, func(b *testing.B) {
			s := newSite(b)
			d := s.connect()
			r := rpc{id: 2, sec: tc.sec(b)}
			d.bound(r.sec)
			d.granted(r, handle(1))
			r.id, r.opnum = 3, nspi.OpnumUnbind+1
			stub := append(handle(1).Append(nil, rpcparse.LittleEndian), make([]byte, 180)...)
			ask, answer := r.request(b, stub), r.response(b, make([]byte, 1024))
			askHeader, err := rpcparse.ParseHeader(ask)
			if err != nil {
				b.Fatal(err)
			}
			answerHeader, err := rpcparse.ParseHeader(answer)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if v := d.inspector.FromClient(askHeader, ask); !v.Forwards() {
					b.Fatal(v)
				}
				if v := d.inspector.FromServer(answerHeader, answer); !v.Forwards() {
					b.Fatal(v)
				}
			}
		})
	}
}
