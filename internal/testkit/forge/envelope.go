package forge

import (
	"slices"

	"github.com/jcmturner/gofork/encoding/asn1"

	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/spnego"
)

// element is a DER element with its length in so many octets; 0 is the shortest form.
func element(tag byte, octets int, content ...[]byte) []byte {
	b := slices.Concat(content...)
	size := len(b)
	switch {
	case octets == 0 && size < 0x80:
		return append([]byte{tag, byte(size)}, b...)
	case octets == 0:
		for octets = 1; size>>(8*octets) > 0; {
			octets++
		}
	}
	head := []byte{tag, 0x80 | byte(octets)}
	for n := octets - 1; n >= 0; n-- {
		head = append(head, byte(size>>(8*n)))
	}
	return append(head, b...)
}

// Long returns a DER element with its outermost length in so many octets, more than it needs.
func Long(der []byte, octets int) []byte {
	head := 2
	if der[1] >= 0x80 {
		head += int(der[1] & 0x7f)
	}
	return element(der[0], octets, der[head:])
}

// Indefinite returns a constructed DER element with a length that is not said.
func Indefinite(der []byte) []byte {
	head := 2
	if der[1] >= 0x80 {
		head += int(der[1] & 0x7f)
	}
	return slices.Concat([]byte{der[0], 0x80}, der[head:], []byte{0, 0})
}

// Frame puts a Kerberos message into the frame of GSS (RFC 2743 3.1).
func Frame(message []byte) []byte {
	id := byte(1)
	if message[0] == 0x6f {
		id = 2
	}
	return element(0x60, 0, element(0x06, 0, []byte(spnego.OIDKerberos)), []byte{id, 0}, message)
}

// Envelope is a token of SPNEGO (RFC 4178 4.2) in a form of its sender's choice.
type Envelope struct {
	Init     bool
	Mechs    []spnego.OID // Init
	State    int          // not Init: negState; negative: none
	Tokens   [][]byte     // mechToken or responseToken, usually one
	MIC      []byte
	Reversed bool // the fields in another order
	Octets   int  // of the outermost length; 0: the shortest form
	Bare     bool // Init without the frame of GSS
}

// Token returns the encoded token.
func (e Envelope) Token() []byte {
	var fields [][]byte
	if e.Init {
		var list []byte
		for _, m := range e.Mechs {
			list = append(list, element(0x06, 0, []byte(m))...)
		}
		fields = append(fields, element(0xa0, 0, element(0x30, 0, list)))
	} else if e.State >= 0 {
		fields = append(fields, element(0xa0, 0, []byte{0x0a, 1, byte(e.State)}))
	}
	for _, t := range e.Tokens {
		fields = append(fields, element(0xa2, 0, element(0x04, 0, t)))
	}
	if e.MIC != nil {
		fields = append(fields, element(0xa3, 0, element(0x04, 0, e.MIC)))
	}
	if e.Reversed {
		slices.Reverse(fields)
	}
	body := element(0x30, 0, fields...)
	switch {
	case !e.Init:
		return element(0xa1, e.Octets, body)
	case e.Bare:
		return element(0xa0, e.Octets, body)
	}
	return element(0x60, e.Octets, element(0x06, 0, []byte(spnego.OIDSPNEGO)), element(0xa0, 0, body))
}

// Rewritten returns DER with every element as f makes it, which gets the tag and the content, those inside rewritten.
func Rewritten(b []byte, f func(tag byte, content []byte) (byte, []byte)) (out []byte) {
	for len(b) > 0 {
		var v asn1.RawValue
		rest := must(asn1.Unmarshal(b, &v))
		content := v.Bytes
		if v.IsCompound {
			content = Rewritten(content, f)
		}
		tag, content := f(b[0], content)
		out = append(out, element(tag, 0, content)...)
		b = rest
	}
	return out
}
