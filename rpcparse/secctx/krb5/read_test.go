package krb5

import (
	"bytes"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/oiweiwei/gokrb5.fork/v9/types"
)

// Tags of the kit's messages besides those that are read.
const tagGeneralizedTime = 0x18

// spelling writes one element in another way than the kit's DER does.
type spelling func(tag byte, content []byte) []byte

// rewritten is the DER in b with every element in that form.
func rewritten(t testing.TB, b []byte, f spelling) (out []byte) {
	t.Helper()
	for at := 0; at < len(b); {
		w := derWalk{b: b}
		start, size, err := w.length(at+1, len(b))
		must(t, 0, err)
		content := b[start : start+size]
		if b[at]&derConstructed != 0 {
			content = rewritten(t, content, f)
		}
		out = append(out, f(b[at], content)...)
		at = start + size
	}
	return out
}

// spellings are ways to write a message that Heimdal reads.
var spellings = map[string]spelling{
	"lengths of five octets": func(tag byte, content []byte) []byte {
		n := len(content)
		return append([]byte{tag, 0x85, 0, 0, 0, byte(n >> 8), byte(n)}, content...)
	},
	"indefinite lengths": func(tag byte, content []byte) []byte {
		if tag&derConstructed == 0 {
			return der(tag, content)
		}
		return slices.Concat([]byte{tag, 0x80}, content, []byte{0, 0})
	},
	"tags in the long form": func(tag byte, content []byte) []byte {
		b := der(tag, content)
		if tag&derConstructed == 0 {
			return b
		}
		return append([]byte{tag | derTagMask, tag & derTagMask}, b[1:]...)
	},
	"numbers with zeros in front": func(tag byte, content []byte) []byte {
		if tag == tagInteger {
			content = append([]byte{0}, content...)
		}
		return der(tag, content)
	},
	"bits behind those in use": func(tag byte, content []byte) []byte {
		if tag == tagBitString {
			content = slices.Concat([]byte{7}, content[1:], []byte{0x7f})
		}
		return der(tag, content)
	},
	"times without a zone": func(tag byte, content []byte) []byte {
		if tag == tagGeneralizedTime {
			content = bytes.TrimSuffix(content, []byte("Z"))
		}
		return der(tag, content)
	},
	"times of another zone": func(tag byte, content []byte) []byte {
		if tag == tagGeneralizedTime {
			content = slices.Concat(bytes.TrimSuffix(content, []byte("Z")), []byte("+0100"))
		}
		return der(tag, content)
	},
	"years of two digits": func(tag byte, content []byte) []byte {
		if tag == tagGeneralizedTime {
			content = content[2:]
		}
		return der(tag, content)
	},
	"unknown fields": func(tag byte, content []byte) []byte {
		if tag == tagSequence && len(content) > 0 && content[0]&0xe0 == 0xa0 {
			content = append(bytes.Clone(content), 0xaf, 2, 5, 0)
		}
		return der(tag, content)
	},
	"fields in another order": func(tag byte, content []byte) []byte {
		if tag == tagSequence && len(content) > 0 && content[0]&0xe0 == 0xa0 {
			content = reversed(content)
		}
		return der(tag, content)
	},
}

// reversed has the elements of b from the last to the first.
func reversed(b []byte) (out []byte) {
	for at := 0; at < len(b); {
		w := derWalk{b: b}
		start, size, err := w.length(at+1, len(b))
		if err != nil {
			panic(err)
		}
		out = append(bytes.Clone(b[at:start+size]), out...)
		at = start + size
	}
	return out
}

func TestMessagesAreReadInEveryForm(t *testing.T) {
	for name, f := range spellings {
		t.Run(name, func(t *testing.T) {
			k := newKDC(t, 18)
			keys := k.keys(t).Service("dc1.lab.test")
			ticket, auth := rewritten(t, k.ticketPart(t), f), rewritten(t, k.authenticatorPart(t), f)
			in, o := OpenAPReq(rewritten(t, k.requestOf(t, ticket, auth), f), keys)
			if in == nil || in.PAC == nil || in.PAC.SID != kitUserSID || in.Protection != nil || in.Flags != kitFlags || in.Sequence != kitInitiator {
				t.Fatalf("%s: %+v", o, in)
			}
			if in.Time.Sub(kitTime) != kitCusec*time.Microsecond || in.Client != "alice@LAB.TEST" {
				t.Errorf("%v, %s", in.Time, in.Client)
			}
			part := k.answerPart()
			plain, err := part.Marshal()
			must(t, 0, err)
			e, err := in.OpenAPRep(rewritten(t, k.answerWith(t, rewritten(t, plain, f)), f))
			if err != nil {
				t.Fatal(err)
			}
			if keys := e.Keys(); !bytes.Equal(keys.Key.Value, k.server.Value) || keys.AcceptorSequence != kitAcceptor {
				t.Error(keys)
			}
			if err := e.CheckThirdLeg(append(rewritten(t, k.third(t), f), 0, 0)); err != nil {
				t.Error(err)
			}
		})
	}
}

// A client that sends no GSS checksum says with an option whether it wants an answer.
func TestFlagsOfClientsWithoutAGSSChecksumAreGuessed(t *testing.T) {
	for options, mutual := range map[byte]bool{0: false, 0x20: true} {
		k := newKDC(t, 18)
		k.options = options
		k.authenticator = func(a *types.Authenticator) { a.Cksum = types.Checksum{} }
		in := opened(t, k)
		if in.Mutual() != mutual || in.DCEStyle() || in.Protection == nil || in.PAC == nil {
			t.Errorf("options %#x: mutual %t, DCE style %t, %v", options, in.Mutual(), in.DCEStyle(), in.Protection)
		}
	}
}

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// What is read of a message is bounded by its bytes, whatever they are.
func TestHostileMessagesAllocateLittle(t *testing.T) {
	const most = 1 << 20 // some copies of 64 KiB: the plain texts, and what a PAC signs
	k := newKDC(t, 18)
	keys := k.keys(t).Service("dc1.lab.test")
	small := bytes.Repeat([]byte{0x30, 0}, 30000)
	names := der(tagSequence, der(0xa1, der(tagSequence, bytes.Repeat([]byte{0x1b, 0}, 30000))))
	containers := der(tagSequence, bytes.Repeat(der(tagSequence, der(0xa0, []byte{2, 1, 1}), der(0xa1, []byte{4, 2, 0x30, 0})), 3500))
	deep := der(tagSequence)
	for len(deep) < 60000 {
		deep = der(tagSequence, der(tagSequence, der(0xa0, []byte{2, 1, 1}), der(0xa1, der(4, deep))))
	}
	pacs := der(tagSequence, bytes.Repeat(der(tagSequence, der(0xa0, []byte{2, 2, 0, 128}), der(0xa1, der(4, newPAC().layout(k.service)))), 40))
	tokens := map[string][]byte{
		"an AP-REQ of empty elements":       der(tagAPReq, der(tagSequence, small)),
		"a service of many names":           der(tagAPReq, der(tagSequence, der(0xa3, der(tagTicket, der(tagSequence, der(0xa2, names)))))),
		"an authenticator of many elements": k.requestOf(t, k.ticketPart(t), der(tagAuthenticator, der(tagSequence, small))),
	}
	for name, data := range map[string][]byte{"many containers": containers, "deep containers": deep, "many PACs": pacs} {
		plain := der(tagEncTicketPart, der(tagSequence,
			der(0xa1, der(tagSequence, der(0xa0, []byte{2, 1, 18}), der(0xa1, der(4, k.session.Value)))), der(0xaa, data)))
		tokens[name] = k.requestOf(t, plain, k.authenticatorPart(t))
	}
	for name, token := range tokens {
		var o Outcome
		if n := allocated(func() { _, o = OpenAPReq(token, keys) }); n > most {
			t.Errorf("%s: %d bytes for a token of %d", name, n, len(token))
		}
		if isNamed(o.Err, nameLibraryPanic) {
			t.Errorf("%s: %s", name, o)
		}
	}
}

func TestNamesThatAreShownAreCut(t *testing.T) {
	k := newKDC(t, 18)
	k.sname = slices.Repeat([]string{string(bytes.Repeat([]byte("x"), 1500))}, 20)
	in, o := OpenAPReq(k.request(t), keysOf(t, entry("DC1$@LAB.TEST", 5, k.service)).Service(""))
	if in == nil {
		t.Fatal(o)
	}
	if n := len(in.Service); n > maxComponents*(maxShown+1)+len(k.realm) {
		t.Errorf("%d bytes", n)
	}
}
